/**
 * The state that follows from a set of roster entries. A view looks at a set that holds, with each entry, all entries that
 * precede it: either everything a peer has, or the past of one entry. It depends on the set alone, never on the order of
 * arrival.
 *
 * A removal (revocation, or the old key of a rotation) is never undone by another entry. Every other entry counts while
 * enough of its signers count. A signer counts if two things hold: it was an admin in the entry's past, by grants that count
 * themselves, and no removal of it is concurrent with the entry. That recursion ends because a grant precedes the entries
 * that it supports.
 */
import { LIMITS } from "../limits.ts";
import type { PeerId } from "../peer-id.ts";
import { END_OF_TIME, type EntryId, isGrant, type Terms } from "./entry.ts";
import { mayGovern, ROLES_BY_RIGHTS, type Role } from "./roles.ts";
import { areConcurrent, contains, type EntrySet, inOrder, type PlacedEntry, type RosterGraph } from "./roster-graph.ts";
import { firstPolicy, foundersOf, type MembershipPolicy, type RosterSettings } from "./settings.ts";

/** Why an entry that was signed as it should be does not count. */
export type LossReason =
  /** Its signers, or those who made them admins, were removed in a branch that it had not heard of. */
  | "SIGNERS_REMOVED"
  /** Somebody was removed in a branch that the grant had not heard of; the removal wins. */
  | "REMOVAL_WINS"
  /** The invite was used up in another branch. */
  | "INVITE_USED"
  /** Another grant, policy or successor of a concurrent branch wins. */
  | "OUTRANKED";

/** A peer's place in a view: its terms and the entry they come from. */
export interface Standing extends Terms {
  /** undefined: the genesis. */
  readonly grant: EntryId | undefined;
}

/** Who of an entry's signers counts, and how many have to. */
interface Support {
  readonly counting: readonly PeerId[];
  readonly threshold: number;
}

const FOUNDER_TERMS = { notBefore: 0, notAfter: END_OF_TIME };

/** The state that one set of entries comes to; each answer is computed once. */
export class RosterView {
  readonly #graph: RosterGraph;
  readonly #settings: RosterSettings;
  readonly #founders: ReadonlyMap<PeerId, Role>;
  readonly #within: EntrySet | undefined;
  readonly #losses = new Map<number, LossReason | "counts">();
  readonly #supports = new Map<number, Support>();

  /** @param within - the entries to look at, closed under "precedes"; all when undefined. */
  constructor(graph: RosterGraph, settings: RosterSettings, within: EntrySet | undefined) {
    this.#graph = graph;
    this.#settings = settings;
    this.#founders = new Map(foundersOf(settings).map(({ peer, role }) => [peer, role]));
    this.#within = within;
    // In order, so that an entry's support is known when the entry is looked at, and no recursion goes deep.
    for (const placed of graph.authority()) if (contains(within, placed.index)) this.lossOf(placed);
  }

  /** Why an entry of the view does not count; undefined when it does. */
  lossOf(placed: PlacedEntry): LossReason | undefined {
    let loss = this.#losses.get(placed.index);
    if (loss === undefined) {
      loss = this.#judge(placed) ?? "counts";
      this.#losses.set(placed.index, loss);
    }
    return loss === "counts" ? undefined : loss;
  }

  /** A peer's place by the entries of `among`, a part of the view; undefined when it is no member. */
  standing(peer: PeerId, among: EntrySet | undefined = this.#within): Standing | undefined {
    const [winner] = this.#ranked(this.#live(peer, among));
    if (winner !== undefined && isGrant(winner.entry.statement)) {
      const { subject, role, notBefore, notAfter } = winner.entry.statement;
      return { subject, role, notBefore, notAfter, grant: winner.entry.id };
    }
    const role = this.#founders.get(peer);
    const isRemoved = this.#graph.removalsOf(peer).some(({ index }) => contains(among, index));
    return role === undefined || isRemoved ? undefined : { subject: peer, role, ...FOUNDER_TERMS, grant: undefined };
  }

  /** The policy by the entries of `among`. */
  policy(among: EntrySet | undefined = this.#within): MembershipPolicy {
    const [winner] = this.#rankedPolicies(among);
    return winner?.entry.statement.kind === "policy" ? winner.entry.statement.policy : firstPolicy(this.#settings);
  }

  /** The succession that holds: of concurrent ones that with the earlier round, then the lower name. */
  succession(): PlacedEntry | undefined {
    return this.#rankedSuccessions()[0];
  }

  /** It, and before it those of its past that count, in order. */
  successions(): readonly PlacedEntry[] {
    const holding = this.succession();
    if (holding === undefined) return [];
    const earlier = this.#counting(this.#graph.successions, holding.past);
    return [...earlier.filter(({ index }) => contains(this.#within, index)).sort(inOrder), holding];
  }

  /** Whether a signature of this peer counts on an entry with this past and time. */
  isAdminAt(peer: PeerId, past: EntrySet | undefined, issuedAt: number): boolean {
    if (!this.#graph.admins().has(peer)) return false;
    const standing = this.standing(peer, past);
    return standing !== undefined && mayGovern(standing.role) && isWithin(standing, issuedAt);
  }

  /** Admins by the entries of `among`, at any time. */
  admins(among: EntrySet | undefined = this.#within): readonly PeerId[] {
    return [...this.#graph.admins()].filter((peer) => mayGovern(this.standing(peer, among)?.role)).sort();
  }

  /** How many other peers the invite has admitted by entries before this place in the order. */
  usesBefore(invite: string, subject: PeerId, before: PlacedEntry | undefined): number {
    const others = new Set<PeerId>();
    for (const placed of this.#graph.admitsBy(invite)) {
      if (before !== undefined && inOrder(placed, before) >= 0) break;
      const { statement } = placed.entry;
      if (statement.kind !== "admit" || statement.subject === subject || !contains(this.#within, placed.index))
        continue;
      if (this.lossOf(placed) === undefined) others.add(statement.subject);
    }
    return others.size;
  }

  /** Entries that count by themselves and lose to a concurrent one or to a removal. */
  outranked(): readonly { readonly placed: PlacedEntry; readonly reason: LossReason }[] {
    const lost: { placed: PlacedEntry; reason: LossReason }[] = [];
    const loses = (placed: PlacedEntry, reason: LossReason) => lost.push({ placed, reason });
    for (const peer of this.#graph.subjects()) {
      const counting = this.#counting(this.#graph.grantsOf(peer), this.#within);
      const removals = this.#graph.removalsOf(peer).filter(({ index }) => contains(this.#within, index));
      for (const grant of counting) {
        if (removals.some((removal) => areConcurrent(removal, grant))) loses(grant, "REMOVAL_WINS");
      }
      for (const grant of this.#ranked(this.#live(peer, this.#within)).slice(1)) loses(grant, "OUTRANKED");
    }
    for (const placed of this.#rankedPolicies(this.#within).slice(1)) loses(placed, "OUTRANKED");
    for (const placed of this.#rankedSuccessions().slice(1)) loses(placed, "OUTRANKED");
    return lost;
  }

  /**
   * Entries that count and would not any more if an entry with this past ended a peer's key: it had not heard of them, and they need
   * that key's signature, or give its membership to another key.
   */
  undoneBy(peer: PeerId, past: EntrySet): readonly PlacedEntry[] {
    return this.#graph.placed.filter((placed) => {
      const { signers, statement } = placed.entry;
      if (!signers.includes(peer) || contains(past, placed.index) || !contains(this.#within, placed.index))
        return false;
      if (statement.kind === "revoke" || this.lossOf(placed) !== undefined) return false;
      if (statement.kind === "rotate" && statement.replaces === peer) return true;
      const { counting, threshold } = this.#supportOf(placed);
      return counting.filter((other) => other !== peer).length < threshold;
    });
  }

  /**
   * Entries that count although fewer admins signed them than a policy asks for that counts: neither had heard of the other. Who was an
   * admin before a threshold was raised can sign on a branch of before, as many as were asked for there.
   * threshold: the highest of those policies.
   */
  signedByFewer(): readonly { readonly placed: PlacedEntry; readonly threshold: number }[] {
    const policies = this.#counting(this.#graph.policies, this.#within);
    if (policies.length === 0) return [];
    return this.#graph.placed.flatMap((placed) => {
      const thresholds = policies
        .filter((policy) => areConcurrent(policy, placed))
        .map(({ entry: { statement } }) => (statement.kind === "policy" ? statement.policy.threshold : 0));
      const threshold = Math.max(0, ...thresholds);
      const { signers, issuedAt } = placed.entry;
      const isFewer = signers.filter((peer) => this.isAdminAt(peer, placed.past, issuedAt)).length < threshold;
      const isOfView = contains(this.#within, placed.index);
      return isFewer && isOfView && this.lossOf(placed) === undefined ? [{ placed, threshold }] : [];
    });
  }

  #judge(placed: PlacedEntry): LossReason | undefined {
    const { statement } = placed.entry;
    if (statement.kind === "revoke") return undefined;
    const { counting, threshold } = this.#supportOf(placed);
    if (counting.length < threshold) return "SIGNERS_REMOVED";
    // A new key stands only while nothing else happened to the old one meanwhile: not even a rotation to a third key.
    if (statement.kind === "rotate" && this.#isStruck(statement.replaces, placed)) return "REMOVAL_WINS";
    if (statement.kind === "admit" && statement.invite !== undefined) {
      const { key, uses } = statement.invite;
      if (this.usesBefore(key, statement.subject, placed) >= uses) return "INVITE_USED";
    }
    return undefined;
  }

  #supportOf(placed: PlacedEntry): Support {
    const known = this.#supports.get(placed.index);
    if (known !== undefined) return known;
    const counting = placed.entry.signers.filter((peer) => this.#signatureCounts(peer, placed));
    const support = { counting, threshold: this.policy(placed.past).threshold };
    this.#supports.set(placed.index, support);
    return support;
  }

  #signatureCounts(peer: PeerId, placed: PlacedEntry): boolean {
    return this.isAdminAt(peer, placed.past, placed.entry.issuedAt) && !this.#isStruck(peer, placed);
  }

  #isStruck(peer: PeerId, placed: PlacedEntry): boolean {
    return this.#graph
      .removalsOf(peer)
      .some((removal) => contains(this.#within, removal.index) && areConcurrent(removal, placed));
  }

  #counting(entries: readonly PlacedEntry[], among: EntrySet | undefined): readonly PlacedEntry[] {
    return entries.filter((placed) => contains(among, placed.index) && this.lossOf(placed) === undefined);
  }

  /** Grants of a peer that count and that had heard of every removal of it. */
  #live(peer: PeerId, among: EntrySet | undefined): readonly PlacedEntry[] {
    const removals = this.#graph.removalsOf(peer).filter(({ index }) => contains(among, index));
    return this.#counting(this.#graph.grantsOf(peer), among).filter((grant) =>
      removals.every(({ index }) => contains(grant.past, index)),
    );
  }

  /** The last grants of all branches: fewer rights first, then the shorter membership, then the lower name. */
  #ranked(grants: readonly PlacedEntry[]): readonly PlacedEntry[] {
    return lastOf(grants).sort((a, b) => {
      const [x, y] = [a.entry.statement, b.entry.statement];
      if (!isGrant(x) || !isGrant(y)) return 0;
      const rights = ROLES_BY_RIGHTS.indexOf(x.role) - ROLES_BY_RIGHTS.indexOf(y.role);
      return rights || x.notAfter - y.notAfter || byName(a, b);
    });
  }

  /** The last policies of all branches: the higher threshold first, then the lower name. */
  #rankedPolicies(among: EntrySet | undefined): readonly PlacedEntry[] {
    return lastOf(this.#counting(this.#graph.policies, among)).sort((a, b) => {
      const [x, y] = [a.entry.statement, b.entry.statement];
      return x.kind === "policy" && y.kind === "policy" ? y.policy.threshold - x.policy.threshold || byName(a, b) : 0;
    });
  }

  #rankedSuccessions(): readonly PlacedEntry[] {
    return lastOf(this.#counting(this.#graph.successions, this.#within)).sort((a, b) => {
      const [x, y] = [a.entry.statement, b.entry.statement];
      return x.kind === "succeed" && y.kind === "succeed" ? x.round - y.round || byName(a, b) : 0;
    });
  }
}

/** Whether a time lies in an interval, two clocks being apart by LIMITS.clockSkewSeconds at most. */
export function isWithin({ notBefore, notAfter }: Pick<Terms, "notBefore" | "notAfter">, seconds: number): boolean {
  return seconds >= notBefore - LIMITS.clockSkewSeconds && seconds <= notAfter + LIMITS.clockSkewSeconds;
}

/** Entries that no other one of the list follows. */
function lastOf(entries: readonly PlacedEntry[]): PlacedEntry[] {
  const last: PlacedEntry[] = [];
  // From the newest: if an entry is not last, one that it precedes has been found, or precedes one that has.
  for (const placed of entries.toSorted((a, b) => b.index - a.index)) {
    if (!last.some(({ past }) => contains(past, placed.index))) last.push(placed);
  }
  return last;
}

const byName = (a: PlacedEntry, b: PlacedEntry): number => (a.entry.id < b.entry.id ? -1 : 1);
