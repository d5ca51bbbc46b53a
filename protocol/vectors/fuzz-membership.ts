/** Changes of everything that members sign, of greetings and of messages, and the rule for changes that may be accepted. */
import { bytesToHex } from "@noble/hashes/utils.js";
import type { RosterLog } from "../membership/roster-log.ts";
import { conversationOutcome, isAccepted, signedParts } from "./conversation-outcome.ts";
import { conversationVectors } from "./conversation-vectors.ts";
import { withExampleLog } from "./example-log.ts";
import { NOW } from "./example-roster.ts";
import { type MembershipMessage, membershipVectors, outcomeOf, vectorBytes } from "./membership-vectors.ts";
import { type FuzzTarget, fuzzTarget } from "./mutation.ts";

/** Messages without a signature of their own: a changed one may still be valid, so only failures count. */
const UNSIGNED: readonly MembershipMessage[] = ["inventory", "entries"];
const EVERYTHING_IS_SIGNED = () => true;

const accepted = () =>
  membershipVectors()
    .filter(({ expected }) => expected === "accepted")
    .map((vector) => ({ ...vector, bytes: vectorBytes(vector) }));

/** Everything that members sign: no change is accepted. */
export function membershipTarget(): FuzzTarget {
  const originals = accepted();
  // A change may make one valid vector into another one.
  const valid = new Set(originals.map(({ message, bytes }) => `${message} ${bytesToHex(bytes)}`));
  return fuzzTarget("membership", originals, ({ message }, bytes, verify) => {
    const outcome = outcomeOf(message, bytes, verify);
    const isSigned = !UNSIGNED.includes(message) && !valid.has(`${message} ${bytesToHex(bytes)}`);
    return { outcome, isForged: outcome === "accepted" && isSigned };
  });
}

/** Greetings and messages: an accepted one contains, unchanged, a statement that somebody signed. */
export function conversationTarget(): FuzzTarget {
  const originals = conversationVectors()
    .filter(isAccepted)
    .map((vector) => ({ ...vector, bytes: vectorBytes(vector) }));
  const signed = new Set(originals.flatMap((one) => signedParts(one, one.bytes)));
  return fuzzTarget("conversations", originals, (original, bytes, verify) => {
    const outcome = conversationOutcome(original, bytes, verify);
    const isForged =
      isAccepted({ ...original, expected: outcome }) &&
      original.isSigned &&
      !signedParts(original, bytes).some((part) => signed.has(part));
    return { outcome, isForged };
  });
}

/**
 * The same bytes where every signature holds: a statement that a member, or as many admins as it takes, sign on purpose. It
 * may be accepted; nothing may fail, neither the decoders behind the signatures nor the state of a roster with such an entry.
 */
export function insiderTarget(): FuzzTarget {
  const notes = conversationVectors()
    .filter(isAccepted)
    .map((vector) => ({ ...vector, bytes: vectorBytes(vector), isConversation: true as const }));
  const rest = accepted().map((vector) => ({ ...vector, isConversation: false as const }));
  return fuzzTarget("insiders", [...rest, ...notes], (original, bytes) => {
    if (original.isConversation) {
      return { outcome: conversationOutcome(original, bytes, EVERYTHING_IS_SIGNED), isForged: false };
    }
    if (original.message === "entry") {
      return { outcome: withExampleLog(EVERYTHING_IS_SIGNED, (log) => entered(log, bytes)), isForged: false };
    }
    return { outcome: outcomeOf(original.message, bytes, EVERYTHING_IS_SIGNED), isForged: false };
  });
}

/** A roster's answer to an entry; an entry that it takes is part of its state, after which it takes another entry. */
function entered(log: RosterLog, bytes: Uint8Array): string {
  const result = log.add(bytes, NOW);
  if (result.outcome === "refused") return result.code;
  const { entryCount } = log.state();
  return `${result.outcome}, ${entryCount} in the state`;
}
