/** A part of `npm run fuzz`, small enough for every day, and arbitrary bytes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { opensslVerify } from "../membership/openssl.suite.ts";
import { fuzzConversations, fuzzMembership } from "./fuzz-membership.ts";
import { type MembershipMessage, outcomeOf } from "./membership-vectors.ts";

test("no changed vector is accepted, and none makes a decoder fail", () => {
  const { outcomes } = fuzzMembership({ cases: 2000, seed: 1, verify: opensslVerify });
  // The changes reach the decoders and the signatures behind them.
  for (const code of ["MALFORMED", "NOT_CANONICAL", "SIGNATURE_INVALID", "INVITE_INVALID"]) {
    expect(outcomes[code] ?? 0, code).toBeGreaterThan(0);
  }
});

test("the fuzzer notices an acceptance: with a verifier that always agrees it finds one", () => {
  expect(() => fuzzMembership({ cases: 2000, seed: 1, verify: () => true })).toThrow(/accepted after a change/);
});

test("no changed greeting or note is accepted but for what somebody signed, and none fails", () => {
  const { outcomes } = fuzzConversations({ cases: 1500, seed: 1, verify: opensslVerify });
  for (const code of ["MALFORMED", "ROSTER", "SIGNATURE_INVALID", "FIELD_INVALID"]) {
    expect(outcomes[code] ?? 0, code).toBeGreaterThan(0);
  }
  expect(() => fuzzConversations({ cases: 1500, seed: 1, verify: () => true })).toThrow(/accepted after a change/);
});

const messages: readonly MembershipMessage[] = [
  "genesis",
  "entry",
  "certificate",
  "invite",
  "request",
  "reply",
  "proof",
];
test.each(messages)("%s: arbitrary bytes and text have an outcome", (message) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.string().map((text) => new TextEncoder().encode(`weft1${text}`)),
    fc.json().map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, (one) => {
      expect(outcomeOf(message, one, opensslVerify)).not.toBe("accepted");
    }),
    { numRuns: 60 },
  );
});
