/**
 * What people do with a roster: look, propose, approve, deny. Actions and answers are plain data, because they may have to
 * travel to the process that has the roster open.
 */
import type { Signer } from "../../protocol/envelope.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  type Entry,
  type EntryId,
  type EntryKind,
  type Statement,
  statementDigest,
  type Terms,
} from "../../protocol/membership/entry.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import {
  adminsOf,
  type LostEntry,
  type Removal,
  type RosterState,
  roleOf,
  type Succession,
} from "../../protocol/membership/roster-state.ts";
import type { MembershipPolicy } from "../../protocol/membership/settings.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import { networkId, parseManifest } from "../../protocol/network-manifest.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { MemberStatus } from "../interface/membership.ts";
import type { RosterMembership } from "./membership.ts";
import type { Proposal } from "./proposals.ts";
import { type Quorum, quorumEndedBy, quorumEndWords, quorumOf } from "./quorum.ts";
import type { StoredEntries } from "./roster-store.ts";

/** One thing that a person does. `isMeant`: also where too few admins are left afterwards to change anything (quorum.ts). */
export type RosterAction =
  | { readonly kind: "members" }
  /** With `declined` also what this peer has declined. */
  | { readonly kind: "pending"; readonly declined?: boolean }
  | { readonly kind: "log" }
  /** The bytes of entries as they are stored, from a place on, so many at a time. */
  | { readonly kind: "entries"; readonly from: number }
  /** Propose and agree. Admins only. */
  | { readonly kind: "propose"; readonly statement: Statement; readonly isMeant?: boolean }
  /** By its id, or the first 8 or more of its characters; also what was declined before. Admins only. */
  | { readonly kind: "approve"; readonly id: string; readonly isMeant?: boolean }
  | { readonly kind: "deny"; readonly id: string }
  /**
   * Propose to go on under another manifest, given as parsed JSON; see succeedingManifest. Admins only, unless it is decided
   * already.
   */
  | { readonly kind: "succeed"; readonly manifest: unknown }
  /** Give this peer's membership to a new key, whose seed is in a file of this machine (mode 0600). */
  | { readonly kind: "rotate"; readonly keyFile: string; readonly isMeant?: boolean };

/** Everybody a roster knows, and the roster as a whole. */
export interface MembersAnswer {
  readonly kind: "members";
  readonly self: { readonly peer: PeerId; readonly role: Role | undefined; readonly standing: MemberStatus };
  /** The roster's network id: that of its first manifest. */
  readonly network: NetworkId;
  readonly members: readonly {
    readonly peer: PeerId;
    readonly role: Role;
    /** Seconds since 1970. */
    readonly notBefore: number;
    readonly notAfter: number;
    readonly isFounder: boolean;
    readonly standing: MemberStatus;
    readonly isConnected: boolean;
  }[];
  readonly removed: readonly (Removal & { readonly peer: PeerId })[];
  readonly barred: readonly PeerId[];
  readonly policy: MembershipPolicy;
  readonly admins: readonly PeerId[];
  readonly quorum: Quorum;
  readonly succession: Succession | undefined;
  readonly heads: readonly EntryId[];
  readonly entryCount: number;
  readonly digest: string;
}

/** All entries of a roster. */
export interface LogAnswer {
  readonly kind: "log";
  /** Parents before children. */
  readonly entries: readonly {
    readonly id: EntryId;
    readonly parents: readonly EntryId[];
    readonly kind: EntryKind;
    readonly author: PeerId;
    readonly signers: readonly PeerId[];
    readonly issuedAt: number;
    readonly statement: Statement;
    /** Why it does not count; undefined when it does. */
    readonly lost: LostEntry["reason"] | undefined;
  }[];
  readonly digest: string;
}

/** StoredEntries as plain data: bytes in base64. */
export interface EntriesAnswer extends Omit<StoredEntries, "entries" | "next"> {
  readonly kind: "entries";
  readonly entries: readonly { readonly place: number; readonly base64: string }[];
  readonly next: number | null;
}

/** What became of an action. */
export type RosterAnswer =
  | MembersAnswer
  | LogAnswer
  | EntriesAnswer
  | { readonly kind: "pending"; readonly motions: readonly Proposal[] }
  /** What became of a motion; `isDecided` when its entry is in the roster. */
  | { readonly kind: "motion"; readonly motion: Proposal; readonly isDecided: boolean };

/** What acting on a roster needs. */
export interface RosterDeskDependencies {
  readonly membership: RosterMembership;
  readonly clock: Pick<Clock, "now">;
  readonly self: PeerId;
  readonly connected: () => readonly string[];
  /** The signer whose seed is in a file.  Throws: NodeError KEY_FILE. */
  readonly signerOf: (keyFile: string) => Promise<Signer>;
  /** By how many milliseconds this clock is ahead of that of each neighbour that says so; absent where nobody is asked. */
  readonly clocksBehind?: () => Promise<readonly number[]>;
}

/** Do one thing.  Throws: NodeError NOT_ALLOWED, KEY_FILE, STORE_FAILED, DISK_FULL; ProtocolError FIELD_INVALID. */
export async function actOnRoster(dependencies: RosterDeskDependencies, action: RosterAction): Promise<RosterAnswer> {
  const { proposals, roster, migration } = dependencies.membership;
  switch (action.kind) {
    case "members":
      return membersAnswer(dependencies);
    case "log":
      return logAnswer(roster.log);
    case "entries":
      return entriesAnswer(await roster.stored(placeFrom(action.from)));
    case "pending":
      return { kind: "pending", motions: proposals.pending({ declined: action.declined === true }) };
    case "propose":
      checkSubject(dependencies, action.statement);
      checkQuorum(dependencies, action.statement, action);
      await checkClock(dependencies);
      return decided(await proposals.propose(action.statement, { isMeant: action.isMeant === true }));
    case "approve":
      return decided(await approve(dependencies, wholeId(action.id), action));
    case "deny":
      return decided(await proposals.deny(wholeId(action.id)));
    case "succeed":
      await checkClock(dependencies);
      return (
        agreedSuccession(action.manifest) ?? decided(await proposals.propose(await migration.prepare(action.manifest)))
      );
    case "rotate":
      return decided(await rotate(dependencies, action));
  }

  async function decided(motion: Proposal): Promise<RosterAnswer> {
    await proposals.settle();
    await roster.written();
    const isPending = proposals.pending().some(({ id }) => id === motion.id);
    const isDecided = roster.log.entries().some(({ statement }) => statementDigest(statement) === motion.id);
    if (isPending || isDecided || action.kind === "deny") return { kind: "motion", motion, isDecided };
    throw new NodeError("NOT_ALLOWED", "the roster does not take this entry; the reason is in the log", {
      id: motion.id,
    });
  }
  /** Where the network goes, or has gone, on under it already, there is nothing left to decide. */
  function agreedSuccession(source: unknown): RosterAnswer | undefined {
    const id = networkId(parseManifest(source));
    if (!migration.chain().slice(1).map(networkId).includes(id)) return undefined;
    const isAbout = ({ statement }: Entry): boolean => statement.kind === "succeed" && statement.successor === id;
    const entry = roster.log.entries().findLast(isAbout);
    if (entry === undefined) return undefined;
    const { statement, signers: approvedBy } = entry;
    const { threshold } = roster.log.state().policy;
    const undisputed = { request: undefined, deniedBy: [], isDeclinedHere: false };
    const motion: Proposal = { id: statementDigest(statement), statement, approvedBy, threshold, ...undisputed };
    return { kind: "motion", motion, isDecided: true };
  }
  function wholeId(text: string): string {
    const all = proposals.pending({ declined: true });
    const found = all.filter(({ id }) => id === text || (text.length >= 8 && id.startsWith(text)));
    if (found.length === 1) return found[0]!.id;
    const what =
      found.length === 0
        ? "nothing that waits for a decision is (decided, forgotten after two weeks, or not heard of)"
        : "several motions are";
    throw new NodeError("NOT_ALLOWED", `${what} named ${text}`, { id: text, problem: "motion-unknown" });
  }
}

function membersAnswer({ membership, clock, self, connected }: RosterDeskDependencies): MembersAnswer {
  const state = membership.roster.log.state();
  const here = new Set(connected());
  const facts = rosterFacts(state);
  const members = facts.members.map((member) => ({
    ...member,
    standing: membership.statusOf(member.peer),
    isConnected: here.has(member.peer),
  }));
  return {
    kind: "members",
    self: { peer: self, role: membership.roleOf(self), standing: membership.statusOf(self) },
    ...facts,
    members,
    barred: [...state.barred],
    admins: adminsOf(state, Math.floor(clock.now() / 1000)),
    quorum: quorumOf(state, Math.floor(clock.now() / 1000)),
  };
}

/** What follows from the genesis and the entries alone: neither from the time, nor from proofs, nor from who is connected. */
export function rosterFacts(state: RosterState) {
  const { networkId, policy, succession, heads, entryCount, digest } = state;
  const members = [...state.members.values()].map(({ subject, role, notBefore, notAfter, grant }) => ({
    peer: subject,
    role,
    notBefore,
    notAfter,
    isFounder: grant === undefined,
  }));
  const removed = [...state.removed].map(([peer, removal]) => ({ peer, ...removal }));
  return { network: networkId, members, removed, policy, succession, heads, entryCount, digest };
}

function entriesAnswer({ entries, next, digest }: StoredEntries): EntriesAnswer {
  const told = entries.map(({ place, bytes }) => ({ place, base64: Buffer.from(bytes).toString("base64") }));
  return { kind: "entries", entries: told, next: next ?? null, digest };
}

/** Requests come as JSON from another process. */
function placeFrom(from: unknown): number {
  if (Number.isSafeInteger(from) && (from as number) >= 0) return from as number;
  throw new NodeError("NOT_ALLOWED", `entries are asked for from a place 0, 1, 2, … on, not from ${from}`);
}

/** A roster's entries, with those that do not count. */
export function logAnswer(log: RosterLog): LogAnswer {
  const state = log.state();
  const lost = new Map(state.lost.map(({ id, reason }) => [id, reason]));
  const entries = log.entries().map(({ id, parents, author, signers, issuedAt, statement }) => ({
    id,
    parents,
    kind: statement.kind,
    author,
    signers,
    issuedAt,
    statement,
    lost: lost.get(id),
  }));
  return { kind: "log", entries, digest: state.digest };
}

/** What would be refused later anyhow is refused now, in words. */
function checkSubject({ membership, clock }: RosterDeskDependencies, statement: Statement): void {
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
function checkQuorum(
  { membership, clock, self }: RosterDeskDependencies,
  statement: Statement,
  { isMeant = false }: { readonly isMeant?: boolean },
): void {
  // Who is no admin is told that first.
  if (statement.kind !== "rotate" && membership.roleOf(self) !== "admin") return;
  const nowSeconds = Math.floor(clock.now() / 1000);
  const quorum = isMeant ? undefined : quorumEndedBy(membership.roster.log.state(), statement, nowSeconds);
  if (quorum === undefined) return;
  const text = `afterwards ${quorumEndWords(quorum, nowSeconds)}`;
  throw new NodeError("NOT_ALLOWED", text, { ...quorum, problem: "quorum-ends" });
}

/**
 * A signature from later than the others' clocks show is put off by them, and they see no reason to tell.
 * Throws: NodeError NOT_ALLOWED where this clock is further ahead of most neighbours than they tolerate.
 */
async function checkClock({ clocksBehind }: RosterDeskDependencies): Promise<void> {
  const ahead = [...((await clocksBehind?.()) ?? [])].sort((a, b) => a - b);
  const seconds = Math.floor((ahead[Math.floor((ahead.length - 1) / 2)] ?? 0) / 1000);
  if (seconds <= LIMITS.clockSkewSeconds) return;
  const text = `this machine's clock is ${seconds} s ahead of its neighbours', which take nothing from so much later`;
  throw new NodeError("NOT_ALLOWED", text, { seconds, problem: "clock-ahead" });
}

async function approve(
  dependencies: RosterDeskDependencies,
  id: string,
  action: { readonly isMeant?: boolean },
): Promise<Proposal> {
  const { proposals } = dependencies.membership;
  const motion = proposals.pending({ declined: true }).find((one) => one.id === id);
  if (motion !== undefined) checkQuorum(dependencies, motion.statement, action);
  await checkClock(dependencies);
  return await proposals.approve(id, { isMeant: action.isMeant === true });
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

/**
 * Both keys and as many admins as are needed sign: those who are connected, first of all this one where it is one. What
 * waits already is not drafted again: of two rotations that are concluded on two branches neither would count (10.5, 3).
 */
async function rotate(
  dependencies: RosterDeskDependencies,
  action: { readonly keyFile: string; readonly isMeant?: boolean },
): Promise<Proposal> {
  const { membership, clock, self, connected, signerOf } = dependencies;
  const state = membership.roster.log.state();
  const seconds = Math.floor(clock.now() / 1000);
  const terms = state.members.get(self);
  const role = roleOf(state, self, seconds);
  if (terms === undefined || role === undefined) {
    throw new NodeError("NOT_ALLOWED", "this peer is no member, so there is nothing to give to another key", { self });
  }
  const fresh = await signerOf(action.keyFile);
  const isSame = (one: Statement): boolean =>
    one.kind === "rotate" && one.replaces === self && one.subject === fresh.peer && one.role === role;
  const waits = membership.proposals.pending().find(({ statement }) => isSame(statement));
  if (waits !== undefined) return waits;
  const here = new Set(connected());
  const rank = (peer: PeerId): number => (peer === self ? 0 : here.has(peer) ? 1 : 2);
  const admins = [...adminsOf(state, seconds)].sort((a, b) => rank(a) - rank(b)).slice(0, state.policy.threshold);
  const statement: Statement = {
    kind: "rotate",
    subject: fresh.peer,
    replaces: self,
    role,
    notBefore: seconds,
    notAfter: Math.min(terms.notAfter, seconds + state.policy.certificateSeconds),
  };
  checkQuorum(dependencies, statement, action);
  await checkClock(dependencies);
  const signers = [self, fresh.peer, ...admins];
  return await membership.proposals.propose(statement, {
    ...{ cosigners: [fresh], signers },
    isMeant: action.isMeant === true,
  });
}
