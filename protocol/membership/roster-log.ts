/**
 * The roster of a network: a set of signed entries that grows in any order, and the state that the set amounts to. Two peers
 * with the same entries have the same state. Nothing enters it that was not signed by as many admins, in its own past, as
 * the policy of its past asks for.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkId } from "../network-id.ts";
import type { PeerId } from "../peer-id.ts";
import { decodeEntry, type Entry, type EntryId, entryIdToBytes, isGrant, wrongSigner } from "./entry.ts";
import { type Genesis, requireValidGenesis, rosterIdOf } from "./genesis.ts";
import { checkEntry, type EntryRefusal } from "./roster-check.ts";
import { inOrder, type PlacedEntry, RosterGraph } from "./roster-graph.ts";
import type { LostEntry, Removal, RosterState } from "./roster-state.ts";
import { RosterView, type Standing } from "./roster-view.ts";
import { foundersOf, type RosterSettings, rosterSettings } from "./settings.ts";
import { type VerifySignature, verifyStrictly } from "./signatures.ts";

/** The outcome for an entry that was offered. */
export type AddResult =
  | { readonly outcome: "added"; readonly entry: Entry; readonly alsoAdded: readonly Entry[] }
  | { readonly outcome: "known"; readonly entry: Entry }
  /** It waits for these; ask its sender. */
  | { readonly outcome: "pending"; readonly entry: Entry; readonly missing: readonly EntryId[] }
  /** `entry` is undefined when the bytes could not be read. */
  | {
      readonly outcome: "refused";
      readonly code: AddRefusal;
      readonly text: string;
      readonly entry: Entry | undefined;
    };

/** Why an entry is not taken. */
export type AddRefusal =
  | EntryRefusal
  | "MALFORMED"
  /** Issued later than now and the clock skew; offer it again later. */
  | "EARLY"
  /** The roster is full. */
  | "FULL";

/** How signatures are verified, and how many entries there is room for. */
export interface RosterLogOptions {
  readonly verify?: VerifySignature;
  /** Fewer entries than LIMITS.rosterEntryCountMax. */
  readonly entryCountMax?: number;
}

/** An entry whose parents are not here yet. */
interface WaitingEntry {
  readonly entry: Entry;
  readonly isOfKnown: boolean;
}

const NOT_SIGNED = new Uint8Array(0);
/** In the place of a signature that is still to come. */
const SIGNED = Uint8Array.of(1);

/** The entries of one roster, and the state that they amount to. */
export class RosterLog {
  /** Of the network's first manifest. */
  readonly networkId: NetworkId;
  readonly #settings: RosterSettings;
  readonly #graph: RosterGraph;
  readonly #verify: VerifySignature;
  readonly #entryCountMax: number;
  /** Oldest first. */
  readonly #pending = new Map<EntryId, WaitingEntry>();
  readonly #proven = new Set<PeerId>();
  #state: RosterState | undefined;
  /** Of all entries; what it has found out of each is asked for again and again. */
  #whole: RosterView | undefined;

  /** @throws GENESIS_INVALID when membership is open, or too few founders have signed. */
  constructor(genesis: Genesis, { verify = verifyStrictly, entryCountMax = Infinity }: RosterLogOptions = {}) {
    const settings = rosterSettings(genesis.manifest);
    if (settings === undefined) {
      throw new ProtocolError("GENESIS_INVALID", "genesis: membership is open, so there is no roster");
    }
    requireValidGenesis(genesis);
    this.networkId = rosterIdOf(genesis.manifest);
    this.#settings = settings;
    const admins = foundersOf(settings).filter(({ role }) => role === "admin");
    this.#graph = new RosterGraph(admins.map(({ peer }) => peer));
    this.#verify = verify;
    this.#entryCountMax = Math.min(entryCountMax, LIMITS.rosterEntryCountMax);
  }

  /** Offer the bytes of an entry, from anybody; `nowSeconds` since 1970.  Throws: nothing. */
  add(bytes: Uint8Array, nowSeconds: number): AddResult {
    let entry: Entry;
    try {
      entry = decodeEntry(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { outcome: "refused", code: "MALFORMED", text: error.message, entry: undefined };
    }
    const known = this.#graph.get(entry.id);
    if (known !== undefined) return { outcome: "known", entry: known.entry };
    if (entry.issuedAt > nowSeconds + LIMITS.clockSkewSeconds) {
      return refused("EARLY", "it is from a later time than this clock shows", entry);
    }
    const result = this.#offer(entry);
    return result.outcome === "added" ? { ...result, alsoAdded: this.#settlePending() } : result;
  }

  /** The state that follows from all entries so far; the same object until there is a new entry. */
  state(): RosterState {
    this.#state ??= this.#derive();
    return this.#state;
  }

  /** An entry by its name. */
  get(id: EntryId): Entry | undefined {
    return this.#graph.get(id)?.entry;
  }

  /** Whether an entry waits for others that it follows; nothing about it is verified. */
  isWaiting(id: EntryId): boolean {
    return this.#pending.has(id);
  }

  /** All entries, parents before children, in the order that every peer gives them. */
  entries(): readonly Entry[] {
    return this.#graph.placed.toSorted(inOrder).map(({ entry }) => entry);
  }

  /** Parents of the next entry: the heads, or as many of them as an entry may name. */
  nextParents(): readonly EntryId[] {
    return this.#graph.heads().slice(0, LIMITS.rosterParentCountMax);
  }

  /** The least time that the next entry may have, given `nowSeconds`: not before any parent's. */
  nextTime(nowSeconds: number): number {
    return this.nextParents().reduce(
      (least, id) => Math.max(least, this.#graph.get(id)?.entry.issuedAt ?? 0),
      nowSeconds,
    );
  }

  /** One more than the highest number of this author here; its own store may know a higher one that nobody else has yet. */
  nextSequence(author: PeerId): number {
    return this.#graph.placed.reduce(
      (next, { entry }) => (entry.author === author ? Math.max(next, entry.sequence + 1) : next),
      0,
    );
  }

  /** How many other peers an invite has admitted: it is used up for `subject` when these are as many as its uses. */
  usesOf(invite: string, subject: PeerId): number {
    return this.#view().usesBefore(invite, subject, undefined);
  }

  /** How many entries are here. */
  get entryCount(): number {
    return this.#graph.placed.length;
  }

  /**
   * Entries that count now and would not any more if an entry with these parents ended a peer's key: see RosterView. None where a
   * parent is not here.  place: how many entries were here before it.
   */
  undoneBy(peer: PeerId, parents: readonly EntryId[]): readonly { readonly entry: Entry; readonly place: number }[] {
    const past = this.#graph.pastOf(parents);
    if (past === undefined) return [];
    return this.#view()
      .undoneBy(peer, past)
      .map(({ entry, index }) => ({ entry, place: index }));
  }

  /** Entries that fewer admins signed than a policy of another branch asks for, with its threshold: see RosterView. */
  signedByFewer(): ReadonlyMap<EntryId, number> {
    return new Map(
      this.#view()
        .signedByFewer()
        .map(({ placed, threshold }) => [placed.entry.id, threshold]),
    );
  }

  /** Whether an entry may enter once all its signers have signed it: by what is here, its parents among that. */
  mayEnter(entry: Entry): boolean {
    const past = this.#graph.pastOf(entry.parents);
    if (entry.networkId !== this.networkId || past === undefined) return false;
    const signatures = entry.signers.map(() => SIGNED);
    return checkEntry({ ...entry, signatures }, { graph: this.#graph, settings: this.#settings, past }) === undefined;
  }

  /** Entries of one author under one number, for evidence. */
  entriesBy(author: PeerId, sequence: number): readonly Entry[] {
    return this.#graph.placed
      .map(({ entry }) => entry)
      .filter((entry) => entry.author === author && entry.sequence === sequence);
  }

  /**
   * Take somebody as proven to have equivocated (checkEquivocation); it is barred where the policy says so. Two different
   * entries in this log are noticed without being told.
   */
  noteEquivocation(author: PeerId): void {
    if (this.#proven.has(author) || this.#proven.size >= LIMITS.rosterEntryCountMax) return;
    this.#proven.add(author);
    this.#state = undefined;
  }

  /** Names that waiting entries need and that are neither here nor waiting. */
  missing(): readonly EntryId[] {
    const missing = new Set<EntryId>();
    for (const { entry } of this.#pending.values()) {
      for (const id of entry.parents) if (this.#graph.get(id) === undefined && !this.#pending.has(id)) missing.add(id);
    }
    return [...missing].sort();
  }

  #offer(entry: Entry): AddResult {
    if (entry.networkId !== this.networkId) return refused("NETWORK_MISMATCH", "it is of another network", entry);
    const past = this.#graph.pastOf(entry.parents);
    if (past === undefined) return this.#keepWaiting(entry);
    if (this.#graph.placed.length >= this.#roomFor(entry)) return refused("FULL", "the roster is full", entry);
    const refusal = checkEntry(entry, { graph: this.#graph, settings: this.#settings, past });
    if (refusal !== undefined) return refused(refusal.code, refusal.text, entry);
    const wrong = wrongSigner(entry, this.#verify);
    if (wrong !== undefined) return refused("SIGNATURE_INVALID", `the signature of ${wrong} is not over it`, entry);
    this.#graph.place(entry, past);
    this.#state = undefined;
    this.#whole = undefined;
    return { outcome: "added", entry, alsoAdded: [] };
  }

  /** Entries among which this one may be: the last sixteenth is not for admissions and promotions, so that removals find room. */
  #roomFor({ statement }: Entry): number {
    const isGrowth = statement.kind === "admit" || statement.kind === "promote";
    return this.#entryCountMax - (isGrowth ? Math.floor(this.#entryCountMax / 16) : 0);
  }

  #keepWaiting(entry: Entry): AddResult {
    if (!this.#pending.has(entry.id)) this.#pending.set(entry.id, { entry, isOfKnown: this.#isOfKnown(entry) });
    if (this.#pending.size > LIMITS.rosterPendingCountMax) this.#pending.delete(this.#spare());
    return { outcome: "pending", entry, missing: entry.parents.filter((id) => this.#graph.get(id) === undefined) };
  }

  /** Whether the author has been in this roster and has signed; whatever else an entry that waits says is not verified. */
  #isOfKnown(entry: Entry): boolean {
    const { author, signers, signatures } = entry;
    const isFounder = foundersOf(this.#settings).some(({ peer }) => peer === author);
    if (!isFounder && this.#graph.grantsOf(author).length === 0) return false;
    const own = signatures.map((one, i) => (signers[i] === author ? one : NOT_SIGNED));
    return own.some((one) => one.length > 0) && wrongSigner({ ...entry, signatures: own }, this.#verify) === undefined;
  }

  /** The waiting entry that goes: the oldest of strangers, and else of the author that has most. */
  #spare(): EntryId {
    const waiting = [...this.#pending.values()];
    const stranger = waiting.find(({ isOfKnown }) => !isOfKnown);
    if (stranger !== undefined) return stranger.entry.id;
    const counts = new Map<PeerId, number>();
    for (const { entry } of waiting) counts.set(entry.author, (counts.get(entry.author) ?? 0) + 1);
    const most = Math.max(...counts.values());
    return waiting.find(({ entry }) => counts.get(entry.author) === most)!.entry.id;
  }

  /** Waiting entries whose parents have come, and those that waited for these in turn. */
  #settlePending(): readonly Entry[] {
    const added: Entry[] = [];
    for (let progress = true; progress; ) {
      progress = false;
      for (const { entry } of [...this.#pending.values()]) {
        if (entry.parents.some((id) => this.#graph.get(id) === undefined)) continue;
        this.#pending.delete(entry.id);
        progress = true;
        if (this.#offer(entry).outcome === "added") added.push(entry);
      }
    }
    return added;
  }

  #view(): RosterView {
    this.#whole ??= new RosterView(this.#graph, this.#settings, undefined);
    return this.#whole;
  }

  #derive(): RosterState {
    const graph = this.#graph;
    const view = this.#view();
    const ordered = graph.placed.toSorted(inOrder);
    const members = new Map<PeerId, Standing>();
    const peers = new Set([...foundersOf(this.#settings).map(({ peer }) => peer), ...graph.subjects()]);
    for (const peer of [...peers].sort()) {
      const standing = view.standing(peer);
      if (standing !== undefined) members.set(peer, standing);
    }
    const removed = new Map<PeerId, Removal>();
    for (const peer of [...graph.removed()].sort()) if (!members.has(peer)) removed.set(peer, removalOf(graph, peer));
    const succession = view.succession();
    const policy = view.policy();
    const equivocators = new Set([...this.#proven, ...graph.equivocators()].sort());
    return {
      networkId: this.networkId,
      policy,
      members,
      removed,
      barred: policy.equivocation === "bar" ? equivocators : new Set(),
      equivocators,
      succession: succession && successionOf(succession),
      successions: view.successions().map(successionOf),
      lost: lostEntries(ordered, view),
      heads: graph.heads(),
      entryCount: ordered.length,
      digest: digestOf(ordered.map(({ entry }) => entry.id)),
    };
  }
}

/** SHA-256 over names of entries, each 32 bytes, rising. */
export function digestOf(ids: readonly EntryId[]): string {
  return bytesToHex(sha256(concatBytes(...ids.toSorted().map(entryIdToBytes))));
}

function lostEntries(ordered: readonly PlacedEntry[], view: RosterView): readonly LostEntry[] {
  const reasons = new Map(view.outranked().map(({ placed, reason }) => [placed.index, reason]));
  return ordered.flatMap((placed) => {
    const reason = view.lossOf(placed) ?? reasons.get(placed.index);
    return reason === undefined ? [] : [{ id: placed.entry.id, kind: placed.entry.statement.kind, reason }];
  });
}

/** The removal to show: a revocation before a rotation, of equals the first in order. */
function removalOf(graph: RosterGraph, peer: PeerId): Removal {
  const removals = graph.removalsOf(peer).toSorted(inOrder);
  const { entry } = removals.find((placed) => placed.entry.statement.kind === "revoke") ?? removals[0]!;
  const { statement } = entry;
  if (statement.kind === "revoke") return { entry: entry.id, reason: statement.reason, successor: undefined };
  return { entry: entry.id, reason: "rotated", successor: isGrant(statement) ? statement.subject : undefined };
}

function successionOf({ entry }: PlacedEntry) {
  if (entry.statement.kind !== "succeed") throw new Error(`${entry.id} is no succession`);
  return { entry: entry.id, network: entry.statement.successor, round: entry.statement.round };
}

const refused = (code: AddRefusal, text: string, entry: Entry): AddResult => ({
  outcome: "refused",
  code,
  text: `roster entry: ${text}`,
  entry,
});
