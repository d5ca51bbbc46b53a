/** The entries of a roster with all that precedes each of them, so that "had it heard of that one?" is one bit. */
import type { PeerId } from "../peer-id.ts";
import { type Entry, type EntryId, isGrant } from "./entry.ts";

/** Numbers of entries, one bit each. */
export type EntrySet = Uint32Array;

/** An entry and its place among those that this peer holds. */
export interface PlacedEntry {
  /** Its place in this peer's memory; parents have lower ones. Another peer may have another order. */
  readonly index: number;
  readonly entry: Entry;
  /** All entries before it: its parents and theirs. */
  readonly past: EntrySet;
  /** Longest way to the genesis; the same for every peer. */
  readonly depth: number;
}

/** Whether an entry is in the set; undefined is the set of all. */
export function contains(set: EntrySet | undefined, index: number): boolean {
  return set === undefined || ((set[index >>> 5] ?? 0) >>> (index & 31)) % 2 === 1;
}

/** Neither had heard of the other. */
export function areConcurrent(a: PlacedEntry, b: PlacedEntry): boolean {
  return a !== b && !contains(a.past, b.index) && !contains(b.past, a.index);
}

/** Parents before children, and the same for every peer: depth, then name. */
export function inOrder(a: PlacedEntry, b: PlacedEntry): number {
  return a.depth - b.depth || (a.entry.id < b.entry.id ? -1 : a.entry.id > b.entry.id ? 1 : 0);
}

/** Grows by `place` only. It holds a set: no answer depends on the order of placing. */
export class RosterGraph {
  readonly placed: PlacedEntry[] = [];
  readonly #byId = new Map<EntryId, PlacedEntry>();
  readonly #grants = new Map<PeerId, PlacedEntry[]>();
  readonly #removals = new Map<PeerId, PlacedEntry[]>();
  readonly #invites = new Map<string, PlacedEntry[]>();
  readonly #admins: Set<PeerId>;
  readonly #heads = new Set<EntryId>();
  readonly #numbers = new Set<string>();
  readonly #equivocators = new Set<PeerId>();
  readonly policies: PlacedEntry[] = [];
  readonly successions: PlacedEntry[] = [];
  #authority: readonly PlacedEntry[] | undefined;

  /** @param founderAdmins - founders with the role admin. */
  constructor(founderAdmins: readonly PeerId[]) {
    this.#admins = new Set(founderAdmins);
  }

  get(id: EntryId): PlacedEntry | undefined {
    return this.#byId.get(id);
  }

  /** Entries that make this peer a member. */
  grantsOf(peer: PeerId): readonly PlacedEntry[] {
    return this.#grants.get(peer) ?? [];
  }

  /** Entries that end this peer's membership: revocations, and rotations to another key. */
  removalsOf(peer: PeerId): readonly PlacedEntry[] {
    return this.#removals.get(peer) ?? [];
  }

  /** Entries that admit by this invite, in order. */
  admitsBy(invite: string): readonly PlacedEntry[] {
    return this.#invites.get(invite) ?? [];
  }

  /** Every peer that an entry makes a member. */
  subjects(): Iterable<PeerId> {
    return this.#grants.keys();
  }

  /** Every peer that an entry removes. */
  removed(): Iterable<PeerId> {
    return this.#removals.keys();
  }

  /** Every peer that was ever to be an admin, whether or not it came to that. */
  admins(): ReadonlySet<PeerId> {
    return this.#admins;
  }

  /** Authors of two different entries with one number. */
  equivocators(): ReadonlySet<PeerId> {
    return this.#equivocators;
  }

  /** Entries that no other one follows, rising. */
  heads(): readonly EntryId[] {
    return [...this.#heads].sort();
  }

  /** Entries that decide whose signatures count, in order: policies, and the grants of those who are ever admins. */
  authority(): readonly PlacedEntry[] {
    this.#authority ??= [...this.policies, ...[...this.#admins].flatMap((peer) => this.grantsOf(peer))].sort(inOrder);
    return this.#authority;
  }

  /** All entries before one with these parents; undefined when a parent is not here. */
  pastOf(parents: readonly EntryId[]): EntrySet | undefined {
    const past = new Uint32Array((this.placed.length + 31) >>> 5);
    for (const id of parents) {
      const parent = this.#byId.get(id);
      if (parent === undefined) return undefined;
      for (let i = 0; i < parent.past.length; i++) past[i] = past[i]! | parent.past[i]!;
      past[parent.index >>> 5] = past[parent.index >>> 5]! | (1 << (parent.index & 31));
    }
    return past;
  }

  /** Put an entry in its place; its parents are here already. */
  place(entry: Entry, past: EntrySet): PlacedEntry {
    const depth = 1 + entry.parents.reduce((most, id) => Math.max(most, this.#byId.get(id)!.depth), 0);
    const placed: PlacedEntry = { index: this.placed.length, entry, past, depth };
    this.placed.push(placed);
    this.#byId.set(entry.id, placed);
    for (const parent of entry.parents) this.#heads.delete(parent);
    this.#heads.add(entry.id);
    this.#file(placed);
    return placed;
  }

  #file(placed: PlacedEntry): void {
    const { statement, author, sequence } = placed.entry;
    const number = `${author}/${sequence}`;
    if (this.#numbers.has(number)) this.#equivocators.add(author);
    this.#numbers.add(number);
    if (statement.kind === "policy") this.policies.push(placed);
    if (statement.kind === "succeed") this.successions.push(placed);
    if (statement.kind === "revoke") append(this.#removals, statement.subject, placed);
    if (statement.kind === "rotate") append(this.#removals, statement.replaces, placed);
    if (isGrant(statement)) {
      append(this.#grants, statement.subject, placed);
      if (statement.role === "admin") this.#admins.add(statement.subject);
    }
    if (statement.kind === "admit" && statement.invite !== undefined) {
      append(this.#invites, statement.invite.key, placed).sort(inOrder);
    }
    const decides = statement.kind === "policy" || (isGrant(statement) && this.#admins.has(statement.subject));
    if (decides) this.#authority = undefined;
  }
}

function append<K>(map: Map<K, PlacedEntry[]>, key: K, placed: PlacedEntry): PlacedEntry[] {
  const list = map.get(key) ?? [];
  list.push(placed);
  map.set(key, list);
  return list;
}
