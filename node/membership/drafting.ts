/**
 * How what this peer has agreed to becomes an entry: it signs the drafts of others that say so, and drafts the entry itself
 * when it is its turn. All of this happens one after the other.
 */
import type { Signer } from "../../protocol/envelope.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  createEntry,
  type Entry,
  type EntryId,
  encodeEntry,
  missingSigners,
  type Statement,
  signEntry,
  statementDigest,
} from "../../protocol/membership/entry.ts";
import type { RosterMessage } from "../../protocol/membership/roster-message.ts";
import { adminsOf } from "../../protocol/membership/roster-state.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store } from "../interface/store.ts";
import { DRAFTS_PER_AUTHOR_MAX, type PendingMessages } from "./pending-messages.ts";
import type { RosterStore } from "./roster-store.ts";
import { type DraftTerms, isSound } from "./sound-drafts.ts";

/** What drafting needs. */
export interface DraftingDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pending: PendingMessages;
  readonly isAdmin: (peer: PeerId) => boolean;
  /** Members that are connected now: whose signatures come soon. */
  readonly present: () => readonly PeerId[];
  /** Tell the others; safe on this peer's disk already. */
  readonly publish: (message: RosterMessage) => void;
  /** What waits and this peer agrees to, by the digest of the statement; asked for one by one. */
  readonly agreed: () => Iterable<readonly [string, Statement]>;
  /** Whether this peer agrees to a statement, and it has not happened. */
  readonly hasAgreed: (id: string) => boolean;
  /** On what terms drafts of a statement are signed. */
  readonly termsOf: (id: string) => DraftTerms;
  /** See MembershipDependencies. */
  readonly mayBeOld?: boolean | undefined;
}

/** Pause between the turns of admins that could draft the same entry. */
export const TURN_MS = 2_000;
/** After this a draft whose signer does not answer is drafted anew with others. */
export const DRAFT_PATIENCE_MS = 30_000;

const SEQUENCE_KEY = "roster/sequence";

/** The pen of one peer. */
export class Drafting {
  readonly #dependencies: DraftingDependencies;
  /** When this peer first saw a statement, or last drafted it. */
  readonly #since = new Map<string, number>();
  /** When this peer first saw a draft that still waits. */
  readonly #seen = new Map<EntryId, number>();
  #sequence = 0;
  /** Whether the number is this store's own, not what others remember of a key whose store was lost. */
  #isWritten = false;
  #cancelTimer: () => void = () => {};
  /** One at a time: a draft is signed before the next look at what is missing. */
  #turn: Promise<void> = Promise.resolve();
  #isStopped = false;
  /** Whether a neighbour has to say first what this key has signed. */
  #isToHear: boolean;

  constructor(dependencies: DraftingDependencies) {
    this.#dependencies = dependencies;
    this.#isToHear = dependencies.mayBeOld === true;
  }

  /** Read the number of the next entry.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    const { store, roster, signer } = this.#dependencies;
    const stored = await store.get(SEQUENCE_KEY);
    const written = stored === undefined ? 0 : Number(new TextDecoder().decode(stored));
    this.#sequence = Math.max(written, roster.log.nextSequence(signer.peer));
    this.#isWritten = stored !== undefined;
  }

  /**
   * Draft an entry, with the signatures of this peer and of `cosigners`; `signers` are asked to sign beside them.
   * Throws: ProtocolError FIELD_INVALID; NodeError STORE_FAILED, DISK_FULL.
   */
  async draft(statement: Statement, signers: readonly PeerId[], cosigners: readonly Signer[] = []): Promise<void> {
    const { roster, signer, clock } = this.#dependencies;
    const { log } = roster;
    this.requireNewest();
    const number = Math.max(this.#sequence, this.#nextKnown());
    this.#isWritten = true;
    this.#sequence = number + 1;
    // On disk before it is used: two entries with one number would be held against this peer for ever.
    await roster.save([{ put: SEQUENCE_KEY, value: new TextEncoder().encode(String(this.#sequence)) }]);
    const unsigned = createEntry({
      networkId: log.networkId,
      parents: log.nextParents(),
      author: signer.peer,
      signers: [...new Set([...signers, signer.peer, ...cosigners.map(({ peer }) => peer)])],
      sequence: number,
      issuedAt: log.nextTime(this.#nowSeconds()),
      statement,
    });
    const entry = [signer, ...cosigners].reduce(signEntry, unsigned);
    this.#since.set(statementDigest(statement), clock.now());
    await this.#offer(entry);
  }

  /** A neighbour has said what it holds, or the person says that nobody holds more. */
  heard(): void {
    this.#isToHear = false;
  }

  /** Throws: NodeError IDENTITY_IN_USE where this key may have signed what these files do not know. */
  requireNewest(): void {
    const problem = this.#staleness();
    if (problem !== undefined) throw problem;
  }

  /**
   * Each number is on disk before it is used, so whoever holds a later one by this key has it from another process, or this
   * store is an old one: to go on would be equivocation. Of files that may be old, nothing is signed before a neighbour has
   * said what it holds.
   */
  #staleness(): NodeError | undefined {
    const { signer } = this.#dependencies;
    const next = this.#nextKnown();
    if (this.#isToHear && this.#hasOthers()) {
      const text =
        "this data directory is a copy, or comes from a backup, and what its key has signed since is not known here; as an admin it " +
        "signs nothing before another admin, or most other members, have said so";
      return new NodeError("IDENTITY_IN_USE", text, { problem: "old-files" });
    }
    if (!this.#isWritten || next <= this.#sequence) return undefined;
    const text =
      `the roster holds entry ${next - 1} of this peer (${signer.peer}), which this data directory did not sign: another process ` +
      "has the same key, or the directory comes from an old backup. Nothing more is signed here; stop the other process, or " +
      "bring back the newest data directory, or the key alone into an empty one";
    return new NodeError("IDENTITY_IN_USE", text, { sequence: next - 1 });
  }

  /** After every number that the roster, or a draft that waits, has of this key. */
  #nextKnown(): number {
    const { roster, signer, pending } = this.#dependencies;
    const drafted = pending.drafts().filter(({ author }) => author === signer.peer);
    return drafted.reduce((next, { sequence }) => Math.max(next, sequence + 1), roster.log.nextSequence(signer.peer));
  }

  /** Whether the roster has members besides this one, which could say. */
  #hasOthers(): boolean {
    const { roster, signer } = this.#dependencies;
    return [...roster.log.state().members.keys()].some((peer) => peer !== signer.peer);
  }

  /** Do something between two looks at what waits. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Whoever else could draft a statement has had its turn. */
  hurry(id: string): void {
    this.#since.set(id, this.#dependencies.clock.now() - TURN_MS * LIMITS.signatureCountMax);
  }

  /** An entry entered. */
  enter({ statement }: Entry): void {
    this.#since.delete(statementDigest(statement));
  }

  /** Look at everything that waits.  Throws: nothing. */
  async settle(): Promise<void> {
    if (this.#isStopped) return;
    const { logger } = this.#dependencies;
    await this.inTurn(() => this.#settleNow()).catch((error: unknown) =>
      logger.warn("proposals were not settled", { error }),
    );
  }

  /** Wait for nothing any more; idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  async #settleNow(): Promise<void> {
    const { pending, signer, isAdmin, clock, agreed } = this.#dependencies;
    pending.tidy();
    this.#noteDrafts();
    // Complete ones first, whoever signed last.
    for (const one of pending.drafts()) if (this.#isWhole(one)) await this.#offer(one);
    if (!isAdmin(signer.peer)) return;
    let next: number | undefined;
    for (const [id, statement] of agreed()) {
      const left = await this.#advance(id, statement);
      if (left !== undefined) next = Math.min(next ?? left, left);
    }
    this.#cancelTimer();
    this.#cancelTimer = next === undefined ? () => {} : clock.after(next, () => void this.settle());
  }

  /** One statement that this peer agrees to; resolves to the milliseconds until its turn, undefined for nothing to do. */
  async #advance(id: string, statement: Statement): Promise<number | undefined> {
    const { pending, signer, clock, hasAgreed } = this.#dependencies;
    await this.#signDrafts(id);
    this.#noteDrafts();
    // A signature may have been the last one that was missing: then nothing is left to draft.
    if (statement.kind === "rotate" || !hasAgreed(id) || this.#staleness() !== undefined) return undefined;
    const approvers = pending.approversOf(id);
    const first = this.#since.get(id) ?? clock.now();
    this.#since.set(id, first);
    const silent = this.#silent(id);
    const chosen = this.#signersFor(approvers, silent);
    if (!approvers.includes(signer.peer)) {
      const left = msLeft(first + this.#turnMs(this.#othersThan(approvers)) - clock.now());
      if (left === undefined) await this.draft(statement, chosen);
      return left;
    }
    // Nobody is left to ask who has not been asked in vain.
    if (chosen.length < this.#threshold() || chosen.some((peer) => silent.has(peer))) return undefined;
    const { patienceMs, hopefulMs } = this.#outlook(id, { approvers, chosen, silent });
    if (hopefulMs !== undefined) return hopefulMs + this.#turnMs(approvers);
    const left = msLeft(first + patienceMs + this.#turnMs(approvers) - clock.now());
    const own = pending.draftsOf(id).filter(({ author }) => author === signer.peer).length;
    if (left === undefined && own < DRAFTS_PER_AUTHOR_MAX / 4) await this.draft(statement, chosen);
    return left;
  }

  /** Sign what others have drafted for this peer to sign. */
  async #signDrafts(id: string): Promise<void> {
    const { pending, signer } = this.#dependencies;
    for (const one of pending.draftsOf(id)) {
      const at = one.signers.indexOf(signer.peer);
      if (at >= 0 && one.signatures[at]!.length === 0 && this.#isSound(one)) await this.#offer(signEntry(one, signer));
    }
  }

  #isSound(draft: Entry): boolean {
    const { roster, termsOf } = this.#dependencies;
    return isSound(draft, roster.log, termsOf(statementDigest(draft.statement)));
  }

  /** Remember since when drafts wait. */
  #noteDrafts(): void {
    const { pending, clock } = this.#dependencies;
    const waiting = new Set(pending.drafts().map(({ id }) => id));
    for (const id of waiting) if (!this.#seen.has(id)) this.#seen.set(id, clock.now());
    for (const id of [...this.#seen.keys()]) if (!waiting.has(id)) this.#seen.delete(id);
  }

  /** How long a draft has been waiting here. */
  #ageMs({ id }: Entry): number {
    const now = this.#dependencies.clock.now();
    return now - (this.#seen.get(id) ?? now);
  }

  /** Who was asked to sign a statement, by a draft that could enter, and let the time for it pass, whether or not it says that it agrees. */
  #silent(id: string): ReadonlySet<PeerId> {
    const { pending, signer } = this.#dependencies;
    const old = pending.draftsOf(id).filter((one) => this.#ageMs(one) >= DRAFT_PATIENCE_MS && this.#isSound(one));
    return new Set(old.flatMap(missingSigners).filter((peer) => peer !== signer.peer));
  }

  /** This peer and as many of those who agree as are needed, those who are connected first, and last who was asked in vain. */
  #signersFor(approvers: readonly PeerId[], silent: ReadonlySet<PeerId>): readonly PeerId[] {
    const { signer, present } = this.#dependencies;
    const here = new Set(present());
    const rank = (peer: PeerId): number => (silent.has(peer) ? 2 : here.has(peer) ? 0 : 1);
    const willing = approvers.filter((peer) => peer !== signer.peer).sort((a, b) => rank(a) - rank(b));
    return [signer.peer, ...willing].slice(0, this.#threshold());
  }

  /** Admins that have not agreed and could draft the statement now; this peer is one of them. */
  #othersThan(approvers: readonly PeerId[]): readonly PeerId[] {
    const { roster, signer, present } = this.#dependencies;
    const here = new Set([...present(), signer.peer]);
    return adminsOf(roster.log.state(), this.#nowSeconds()).filter(
      (peer) => !approvers.includes(peer) && here.has(peer),
    );
  }

  /**
   * How long a draft that is there may still become whole without another one, undefined where there is none or it is doubtful; and
   * how long it is left alone where it is.
   */
  #outlook(
    id: string,
    {
      approvers,
      chosen,
      silent,
    }: Readonly<Record<"approvers" | "chosen", readonly PeerId[]>> & {
      readonly silent: ReadonlySet<PeerId>;
    },
  ): { readonly patienceMs: number; readonly hopefulMs: number | undefined } {
    const { pending, signer, present } = this.#dependencies;
    const here = new Set([...present(), signer.peer]);
    const completable = pending
      .draftsOf(id)
      .filter(({ signers }) => signers.length >= this.#threshold() && signers.every((peer) => approvers.includes(peer)))
      .filter((one) => this.#isSound(one) && !missingSigners(one).some((peer) => silent.has(peer)));
    if (completable.length === 0) return { patienceMs: 0, hopefulMs: undefined };
    const isStuck = completable.every((one) => missingSigners(one).some((peer) => !here.has(peer)));
    if (isStuck && chosen.every((peer) => here.has(peer))) {
      return { patienceMs: DRAFT_PATIENCE_MS, hopefulMs: undefined };
    }
    const youngest = Math.min(...completable.map((one) => this.#ageMs(one)));
    return { patienceMs: 0, hopefulMs: Math.max(TURN_MS, DRAFT_PATIENCE_MS - youngest) };
  }

  /** A draft with a new signature of this peer's: into the roster when it is complete, else to the others. */
  async #offer(entry: Entry): Promise<void> {
    const { roster, pending, logger, publish } = this.#dependencies;
    const body = encodeEntry(entry);
    if (!this.#isWhole(entry)) {
      pending.setDraft(entry);
      await roster.written();
      publish({ kind: "draft", body });
      return;
    }
    const result = roster.add(body);
    if (result.outcome === "pending") {
      pending.setDraft(entry);
      return;
    }
    pending.forgetDraft(entry.id);
    if (result.outcome === "refused") {
      logger.warn("a signed entry does not enter the roster", { code: result.code, reason: result.text });
      return;
    }
    await roster.written();
    publish({ kind: "entry", body });
  }

  #isWhole(entry: Entry): boolean {
    const admins = entry.signers.filter(this.#dependencies.isAdmin).length;
    return missingSigners(entry).length === 0 && admins >= this.#threshold();
  }

  /** How long to leave the drafting to others: admins take turns in the order of their ids. */
  #turnMs(among: readonly PeerId[]): number {
    const rank = [...among].sort().indexOf(this.#dependencies.signer.peer);
    return Math.max(0, rank) * TURN_MS;
  }

  #threshold(): number {
    return this.#dependencies.roster.log.state().policy.threshold;
  }

  #nowSeconds(): number {
    return Math.floor(this.#dependencies.clock.now() / 1000);
  }
}

const msLeft = (ms: number): number | undefined => (ms > 0 ? ms : undefined);
