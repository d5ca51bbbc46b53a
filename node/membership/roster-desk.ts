/**
 * What people do with a roster: look, propose, approve, deny. Actions and answers are plain data, because they may have to
 * travel to the process that has the roster open.
 */
import type { Signer } from "../../protocol/envelope.ts";
import {
  type Entry,
  type EntryId,
  type EntryKind,
  type Statement,
  statementDigest,
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
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { MemberStatus } from "../interface/membership.ts";
import {
  type ActDependencies,
  checkCancelling,
  checkClock,
  checkOutdated,
  checkQuorum,
  checkSubject,
} from "./act-checks.ts";
import type { Proposal } from "./proposals.ts";
import { type Quorum, quorumOf } from "./quorum.ts";
import type { StoredEntries } from "./roster-store.ts";

/**
 * One thing that a person does. `isMeant`: also where too few admins are left afterwards to change anything (quorum.ts).
 * `isAlone`: also where these files may be old and no neighbour could say what their key has signed since.
 */
export type RosterAction =
  | { readonly kind: "members" }
  /** With `declined` also what this peer has declined. */
  | { readonly kind: "pending"; readonly declined?: boolean }
  | { readonly kind: "log" }
  /** The bytes of entries as they are stored, from a place on, so many at a time. */
  | { readonly kind: "entries"; readonly from: number }
  /** Propose and agree. Admins only. */
  | { readonly kind: "propose"; readonly statement: Statement; readonly isMeant?: boolean; readonly isAlone?: boolean }
  /** By its id, or the first 8 or more of its characters; also what was declined before. Admins only. */
  | { readonly kind: "approve"; readonly id: string; readonly isMeant?: boolean }
  | { readonly kind: "deny"; readonly id: string }
  /**
   * Propose to go on under another manifest, given as parsed JSON; see succeedingManifest. Admins only, unless it is decided
   * already.
   */
  | { readonly kind: "succeed"; readonly manifest: unknown; readonly isAlone?: boolean }
  /** Give this peer's membership to a new key, whose seed is in a file of this machine (mode 0600). */
  | { readonly kind: "rotate"; readonly keyFile: string; readonly isMeant?: boolean; readonly isAlone?: boolean };

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
    /** What it called itself when it asked this peer; absent where it did not. */
    readonly label?: string;
  }[];
  readonly removed: readonly (Removal & { readonly peer: PeerId })[];
  readonly barred: readonly PeerId[];
  /** What these called themselves, by their ids: whose requests this peer saw; absent where an older peer answers. */
  readonly labels?: Readonly<Record<string, string>>;
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
    /** The threshold of a policy of another branch, where fewer admins have signed it than that asks for. */
    readonly fewerThan: number | undefined;
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
export interface RosterDeskDependencies extends ActDependencies {
  readonly connected: () => readonly string[];
  /** The signer whose seed is in a file.  Throws: NodeError KEY_FILE. */
  readonly signerOf: (keyFile: string) => Promise<Signer>;
}

/** Do one thing.  Throws: NodeError NOT_ALLOWED, KEY_FILE, STORE_FAILED, DISK_FULL; ProtocolError FIELD_INVALID. */
export async function actOnRoster(dependencies: RosterDeskDependencies, action: RosterAction): Promise<RosterAnswer> {
  const { proposals, roster, migration } = dependencies.membership;
  if ("isAlone" in action && action.isAlone === true) dependencies.membership.heard();
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
      await checkClock(dependencies, action.statement, action);
      return decided(await proposals.propose(action.statement, { isMeant: action.isMeant === true }));
    case "approve":
      return decidedBefore(action.id) ?? decided(await approve(dependencies, wholeId(action.id), action));
    case "deny":
      return decided(await proposals.deny(wholeId(action.id)));
    case "succeed":
      await checkClock(dependencies, undefined);
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
    return motionOf(roster.log.entries().findLast(isAbout));
  }
  /** Two people of one admin, or two windows, approve the same: what the second one wants is so already. */
  function decidedBefore(text: string): RosterAnswer | undefined {
    if (proposals.pending({ declined: true }).some(({ id }) => isNamed(id, text))) return undefined;
    return motionOf(roster.log.entries().findLast(({ statement }) => isNamed(statementDigest(statement), text)));
  }
  function motionOf(entry: Entry | undefined): RosterAnswer | undefined {
    if (entry === undefined) return undefined;
    const { statement, signers: approvedBy } = entry;
    const { threshold } = roster.log.state().policy;
    const undisputed = { request: undefined, deniedBy: [], isDeclinedHere: false };
    const motion: Proposal = { id: statementDigest(statement), statement, approvedBy, threshold, ...undisputed };
    return { kind: "motion", motion, isDecided: true };
  }
  function wholeId(text: string): string {
    const all = proposals.pending({ declined: true });
    const found = all.filter(({ id }) => isNamed(id, text));
    if (found.length === 1) return found[0]!.id;
    const what =
      found.length === 0
        ? "nothing that waits for a decision is (decided, forgotten after two weeks, or not heard of)"
        : "several motions are";
    throw new NodeError("NOT_ALLOWED", `${what} named ${text}`, { id: text, problem: "motion-unknown" });
  }
}

/** A motion is named by its id, or by eight or more characters that it begins with. */
const isNamed = (id: string, text: string): boolean => id === text || (text.length >= 8 && id.startsWith(text));

function membersAnswer({ membership, clock, self, connected }: RosterDeskDependencies): MembersAnswer {
  const state = membership.roster.log.state();
  const here = new Set(connected());
  const facts = rosterFacts(state);
  const members = facts.members.map((member) => {
    const label = membership.proposals.labelOf(member.peer);
    return {
      ...member,
      standing: membership.statusOf(member.peer),
      isConnected: here.has(member.peer),
      ...(label !== undefined && { label }),
    };
  });
  return {
    kind: "members",
    self: { peer: self, role: membership.roleOf(self), standing: membership.statusOf(self) },
    ...facts,
    members,
    barred: [...state.barred],
    labels: labelsOf(membership, [...state.members.keys(), ...state.removed.keys(), ...state.barred]),
    admins: adminsOf(state, Math.floor(clock.now() / 1000)),
    quorum: quorumOf(state, Math.floor(clock.now() / 1000)),
  };
}

const labelsOf = (
  { proposals }: RosterDeskDependencies["membership"],
  peers: readonly PeerId[],
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...new Set(peers)].flatMap((peer) => {
      const label = proposals.labelOf(peer);
      return label === undefined ? [] : [[peer, label]];
    }),
  );

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
  const fewer = log.signedByFewer();
  const entries = log.entries().map(({ id, parents, author, signers, issuedAt, statement }) => ({
    id,
    parents,
    kind: statement.kind,
    author,
    signers,
    issuedAt,
    statement,
    lost: lost.get(id),
    fewerThan: fewer.get(id),
  }));
  return { kind: "log", entries, digest: state.digest };
}

async function approve(
  dependencies: RosterDeskDependencies,
  id: string,
  action: { readonly isMeant?: boolean },
): Promise<Proposal> {
  const { proposals } = dependencies.membership;
  const motion = proposals.pending({ declined: true }).find((one) => one.id === id);
  if (motion !== undefined) {
    checkCancelling(dependencies, motion.statement, proposals.signersOf(id));
    checkOutdated(dependencies, motion.statement, action);
    checkQuorum(dependencies, motion.statement, action);
  }
  await checkClock(dependencies, motion?.statement, action);
  return await proposals.approve(id, { isMeant: action.isMeant === true });
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
  const { proposals } = membership;
  const waits = proposals.pending().find(({ id, statement }) => isSame(statement) && !proposals.isOutdated(id));
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
  const signers = [self, fresh.peer, ...admins];
  checkCancelling(dependencies, statement, signers);
  checkQuorum(dependencies, statement, action);
  await checkClock(dependencies, undefined, action);
  return await proposals.propose(statement, {
    ...{ cosigners: [fresh], signers },
    isMeant: action.isMeant === true,
  });
}
