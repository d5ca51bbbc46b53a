/** What the tests of limits share: each limit is filled once, and passed by one. */
import { expect, test } from "vitest";
import { LIMITS, type LimitName } from "./limits.ts";

/** The limits of membership, which membership/limits.test.ts fills; limits.test.ts and largest-updates.long.test.ts fill the others. */
export const MEMBERSHIP_LIMITS: readonly LimitName[] = [
  "admissionReplyBytesMax",
  "admissionRequestBytesMax",
  "certificateSecondsMax",
  "clockSkewSeconds",
  "equivocationProofBytesMax",
  "founderCountMax",
  "genesisBytesMax",
  "inviteAddressCountMax",
  "inviteTextLengthMax",
  "inviteUsesMax",
  "labelLengthMax",
  "rosterEntryBytesMax",
  "rosterEntryCountMax",
  "rosterMessageBytesMax",
  "rosterNoteBytesMax",
  "rosterNoteCountMax",
  "rosterParentCountMax",
  "rosterPendingCountMax",
  "signatureCountMax",
  "successionCountMax",
];

/** The limits whose filling takes seconds: largest-updates.long.test.ts fills them. */
export const LARGEST_LIMITS: readonly LimitName[] = ["parameterCountMax", "updateBytesMax", "updatePayloadBytesMax"];

/** What one test file fills: its limits, and the test that fills some. Files may share a process, so each has its own. */
export function limitsOfThisFile(): {
  filled: ReadonlySet<LimitName>;
  fills(names: readonly LimitName[], body: () => void): void;
} {
  const filled = new Set<LimitName>();
  const fills = (names: readonly LimitName[], body: () => void): void => {
    for (const name of names) filled.add(name);
    test(names.join(", "), body);
  };
  return { filled, fills };
}

/** An error with this code. */
export const code = (expected: string) => expect.objectContaining({ code: expected });

/** The i-th name of the greatest length. */
export const name = (i: number) => String(i).padEnd(LIMITS.nameLengthMax, ".");

/** A list of so many. */
export const list = <T>(length: number, make: (i: number) => T): T[] => Array.from({ length }, (_, i) => make(i));
