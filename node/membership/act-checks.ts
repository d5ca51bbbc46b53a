/**
 * What is looked at before a person's act on a roster is signed: whether it is about a member, whether enough admins are left
 * afterwards, whether it and another act that this peer has signed would undo each other, and whether the clock is right.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { type Statement, statementDigest, type Terms } from "../../protocol/membership/entry.ts";
import { adminsOf } from "../../protocol/membership/roster-state.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import { waitsFor } from "./cancelling.ts";
import type { RosterMembership } from "./membership.ts";
import { quorumEndedBy, quorumEndWords } from "./quorum.ts";

/** What looking at an act needs. */
export interface ActDependencies {
  readonly membership: RosterMembership;
  readonly clock: Pick<Clock, "now">;
  readonly self: PeerId;
  /**
   * By how many milliseconds this clock is ahead of that of each neighbour that says so; absent where nobody is asked. Whom an
   * act is about is not asked.
   */
  readonly clocksBehind?: (about: PeerId | undefined) => Promise<readonly number[]>;
}

/** What would be refused later anyhow is refused now, in words. */
export function checkSubject({ membership, clock }: ActDependencies, statement: Statement): void {
  const state = membership.roster.log.state();
  if (statement.kind === "policy") {
    const admins = adminsOf(state, Math.floor(clock.now() / 1000)).length;
    const { threshold } = statement.policy;
    if (threshold <= admins) return;
    const text = `a threshold of ${threshold} cannot be reached by ${admins} admins; promote others to admin first`;
    throw new NodeError("NOT_ALLOWED", text, { threshold, admins });
  }
  if (statement.kind === "succeed") return;
  try {
    parsePeerId(statement.subject);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new NodeError("NOT_ALLOWED", `${statement.subject} is no peer id`, { problem: "no-member" }, { cause });
  }
  const needsMember = ["revoke", "promote", "expire"].includes(statement.kind);
  if (!needsMember) return;
  const known = state.members.get(statement.subject);
  if (known === undefined) {
    const text = `${statement.subject} is no member`;
    throw new NodeError("NOT_ALLOWED", text, { peer: statement.subject, problem: "no-member" });
  }
  if (statement.kind === "expire") checkShorter(statement, known);
}

/**
 * What would leave the network without enough admins, now or at a known time, is done by who says that it is meant.
 * Throws: NodeError NOT_ALLOWED.
 */
export function checkQuorum(
  { membership, clock, self }: ActDependencies,
  statement: Statement,
  { isMeant = false }: { readonly isMeant?: boolean },
): void {
  // Who is no admin is told that first.
  if (statement.kind !== "rotate" && membership.roleOf(self) !== "admin") return;
  const nowSeconds = Math.floor(clock.now() / 1000);
  const quorum = isMeant ? undefined : membership.proposals.quorumEndedBy(statement);
  if (quorum === undefined) return;
  const isAlone = quorumEndedBy(membership.roster.log.state(), statement, nowSeconds) !== undefined;
  const when = isAlone ? "afterwards" : "together with what this peer has signed or agreed to and what still waits,";
  const text = `${when} ${quorumEndWords(quorum, nowSeconds)}`;
  throw new NodeError("NOT_ALLOWED", text, { ...quorum, problem: "quorum-ends" });
}

/**
 * A rotation that waits for an act which this peer has signed: whichever is concluded second would find signers removed, and
 * leave its member with neither key.  Throws: NodeError NOT_ALLOWED.
 */
export function checkCancelling(
  { membership, self }: ActDependencies,
  statement: Statement,
  signers: readonly PeerId[],
): void {
  const id = statementDigest(statement);
  const others = membership.proposals.signed().filter((draft) => statementDigest(draft.statement) !== id);
  const before = others.find((draft) => waitsFor({ statement, signers }, draft));
  if (before === undefined) return;
  const what = before.author === self ? "an act of its own" : `an act by ${before.author}`;
  const name = statementDigest(before.statement).slice(0, 12);
  const text = `this peer has signed ${what} (${name}) that still waits, and the two would undo each other`;
  throw new NodeError("NOT_ALLOWED", text, { id: name, problem: "act-waits" });
}

/**
 * A rotation of before what the roster says now: signed as it is, it is not taken, or undoes what the same key has signed since. Its
 * member alone can ask again.  Throws: NodeError NOT_ALLOWED.
 */
export function checkOutdated(
  { membership }: ActDependencies,
  statement: Statement,
  { isMeant = false }: { readonly isMeant?: boolean },
): void {
  if (isMeant || statement.kind !== "rotate") return;
  const id = statementDigest(statement);
  if (!membership.proposals.isOutdated(id)) return;
  const text =
    `${statement.replaces} asked for its new key before what the roster says now: signed as it is, the rotation would not be taken, or ` +
    "would undo what the same key has signed since";
  throw new NodeError("NOT_ALLOWED", text, { id: id.slice(0, 12), problem: "act-outdated" });
}

/**
 * A signature from later than the others' clocks show is put off by them, and they see no reason to tell. A clock that is behind counts
 * admins whose time is over, so that what leaves too few would pass for harmless.
 * Throws: NodeError NOT_ALLOWED where this clock is further ahead of most neighbours than they tolerate, or as far behind and the
 * act is not said to be meant.
 */
export async function checkClock(
  { clocksBehind }: ActDependencies,
  statement: Statement | undefined,
  { isMeant = false }: { readonly isMeant?: boolean } = {},
): Promise<void> {
  const about = statement !== undefined && "subject" in statement ? statement.subject : undefined;
  const ahead = [...((await clocksBehind?.(about)) ?? [])].sort((a, b) => a - b);
  // Half of them have to say so in either direction.
  const secondsAhead = Math.floor((ahead[Math.floor((ahead.length - 1) / 2)] ?? 0) / 1000);
  const secondsBehind = Math.floor(-(ahead[Math.floor(ahead.length / 2)] ?? 0) / 1000);
  if (secondsAhead > LIMITS.clockSkewSeconds) {
    const text = `this machine's clock is ${secondsAhead} s ahead of its neighbours', which take nothing from so much later`;
    throw new NodeError("NOT_ALLOWED", text, { seconds: secondsAhead, problem: "clock-ahead" });
  }
  if (secondsBehind > LIMITS.clockSkewSeconds && !isMeant) {
    const text = `this machine's clock is ${secondsBehind} s behind its neighbours', and shows members whose time is over`;
    throw new NodeError("NOT_ALLOWED", text, { seconds: secondsBehind, problem: "clock-behind" });
  }
}

/** An expiry ends what is there sooner, and changes nothing else (10.4, TERMS_DIFFER). */
function checkShorter({ subject, role, notAfter }: Terms, known: Terms): void {
  const about = { peer: subject, notAfter };
  if (role !== known.role) {
    throw new NodeError("NOT_ALLOWED", `${subject} is ${known.role}`, { ...about, problem: "role-differs" });
  }
  if (notAfter <= known.notAfter) return;
  const end = new Date(known.notAfter * 1000).toISOString();
  const text = `the membership of ${subject} ends earlier, ${end}`;
  throw new NodeError("NOT_ALLOWED", text, { ...about, problem: "ends-earlier" });
}
