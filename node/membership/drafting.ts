/**
 * How what this peer has agreed to becomes an entry: it signs the drafts of others that say so, and drafts the entry itself
 * when it is its turn. All of this happens one after the other.
 */
import type { Signer } from "../../protocol/envelope.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  createEntry,
  type Entry,
  encodeEntry,
  missingSigners,
  type Statement,
  signEntry,
  statementDigest,
} from "../../protocol/membership/entry.ts";
import type { RosterNote } from "../../protocol/membership/roster-note.ts";
import { adminsOf } from "../../protocol/membership/roster-state.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store } from "../interface/store.ts";
import type { RosterStore } from "./roster-store.ts";
import { DRAFTS_PER_AUTHOR_MAX, type WaitingNotes } from "./waiting-notes.ts";

export interface DraftingDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly waiting: WaitingNotes;
  readonly isAdmin: (peer: PeerId) => boolean;
  /** Members that are connected now: whose signatures come soon. */
  readonly present: () => readonly PeerId[];
  /** Tell the others; safe on this peer's disk already. */
  readonly publish: (note: RosterNote) => void;
  /** What waits and this peer agrees to, by the digest of the statement; asked for one by one. */
  readonly agreed: () => Iterable<readonly [string, Statement]>;
}

export interface Drafting {
  /** Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
  /**
   * Draft an entry, with the signatures of this peer and of `cosigners`; `signers` are asked to sign beside them.
   * Throws: ProtocolError FIELD_INVALID; NodeError STORE_FAILED, DISK_FULL.
   */
  draft(statement: Statement, signers: readonly PeerId[], cosigners: readonly Signer[]): Promise<void>;
  /** Do something between two looks at what waits. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** Whoever else could draft a statement has had its turn. */
  hurry(id: string): void;
  /** An entry entered. */
  enter(entry: Entry): void;
  /** Look at everything that waits. */
  settle(): Promise<void>;
  /** Wait for nothing any more; idempotent. */
  stop(): void;
}

/** Pause between the turns of admins that could draft the same entry. */
export const TURN_MS = 2_000;
/** After this a draft whose signer does not answer is drafted anew with others. */
export const DRAFT_PATIENCE_MS = 30_000;

const SEQUENCE_KEY = "roster/sequence";

export function createDrafting(dependencies: DraftingDependencies): Drafting {
  const { store, roster, signer, clock, logger, waiting, isAdmin, present, publish } = dependencies;
  const { log } = roster;
  /** When this peer first saw a statement, or last drafted it. */
  const since = new Map<string, number>();
  let sequence = 0;
  let cancelTimer: () => void = () => {};
  const now = (): number => Math.floor(clock.now() / 1000);

  /** Draft an entry for a statement that this peer agrees to, with its signature and those of `cosigners`. */
  const draft = async (
    statement: Statement,
    signers: readonly PeerId[],
    cosigners: readonly Signer[] = [],
  ): Promise<void> => {
    const number = Math.max(sequence, log.nextSequence(signer.peer));
    sequence = number + 1;
    // On disk before it is used: two entries with one number would be held against this peer for ever.
    await roster.save([{ put: SEQUENCE_KEY, value: new TextEncoder().encode(String(sequence)) }]);
    const unsigned = createEntry({
      networkId: log.networkId,
      parents: log.nextParents(),
      author: signer.peer,
      signers: [...new Set([...signers, signer.peer, ...cosigners.map(({ peer }) => peer)])],
      sequence: number,
      issuedAt: log.nextTime(now()),
      statement,
    });
    const entry = [signer, ...cosigners].reduce(signEntry, unsigned);
    since.set(statementDigest(statement), clock.now());
    await offer(entry);
  };
  /** A draft with a new signature of this peer's: into the roster when it is complete, else to the others. */
  const offer = async (entry: Entry): Promise<void> => {
    const body = encodeEntry(entry);
    if (!isWhole(entry)) {
      waiting.setDraft(entry);
      await roster.written();
      publish({ kind: "draft", body });
      return;
    }
    const result = roster.add(body);
    if (result.outcome === "pending") {
      waiting.setDraft(entry);
      return;
    }
    waiting.forgetDraft(entry.id);
    if (result.outcome === "refused") {
      logger.warn("a signed entry does not enter the roster", { code: result.code, reason: result.text });
      return;
    }
    await roster.written();
    publish({ kind: "entry", body });
  };
  const isWhole = (entry: Entry): boolean =>
    missingSigners(entry).length === 0 && entry.signers.filter(isAdmin).length >= log.state().policy.threshold;

  /** How long to leave the drafting to others: admins take turns in the order of their ids. */
  const turnMs = (among: readonly PeerId[]): number => {
    const rank = [...among].sort().indexOf(signer.peer);
    return Math.max(0, rank) * TURN_MS;
  };

  /** One statement that this peer agrees to; resolves to the milliseconds until its turn, undefined for nothing to do. */
  const advance = async (id: string, statement: Statement): Promise<number | undefined> => {
    const { threshold } = log.state().policy;
    const all = waiting.draftsOf(id);
    for (const one of all) {
      const at = one.signers.indexOf(signer.peer);
      if (at >= 0 && one.signatures[at]!.length === 0) await offer(signEntry(one, signer));
    }
    if (statement.kind === "rotate") return undefined;
    const approvers = waiting.approversOf(id);
    const here = new Set(present());
    const first = since.get(id) ?? clock.now();
    since.set(id, first);
    const willing = approvers.filter((peer) => peer !== signer.peer);
    const soon = [...willing.filter((peer) => here.has(peer)), ...willing.filter((peer) => !here.has(peer))];
    const chosen = [signer.peer, ...soon].slice(0, threshold);
    const wait = (ms: number): number | undefined => (ms > 0 ? ms : undefined);
    if (!approvers.includes(signer.peer)) {
      const others = adminsOf(log.state(), now()).filter(
        (peer) => !approvers.includes(peer) && (here.has(peer) || peer === signer.peer),
      );
      const left = wait(first + turnMs(others) - clock.now());
      if (left === undefined) await draft(statement, chosen);
      return left;
    }
    if (chosen.length < threshold) return undefined;
    const completable = waiting
      .draftsOf(id)
      .filter(({ signers }) => signers.length >= threshold && signers.every((peer) => approvers.includes(peer)));
    const isStuck = completable.every((one) =>
      missingSigners(one).some((peer) => peer !== signer.peer && !here.has(peer)),
    );
    if (completable.length > 0 && !(isStuck && chosen.every((peer) => peer === signer.peer || here.has(peer))))
      return undefined;
    const patience = completable.length > 0 ? DRAFT_PATIENCE_MS : 0;
    const left = wait(first + patience + turnMs(approvers) - clock.now());
    if (left === undefined && all.filter(({ author }) => author === signer.peer).length < DRAFTS_PER_AUTHOR_MAX / 4) {
      await draft(statement, chosen);
    }
    return left;
  };

  const settleNow = async (): Promise<void> => {
    waiting.tidy();
    // Complete ones first, whoever signed last.
    for (const one of waiting.drafts()) if (isWhole(one)) await offer(one);
    if (!isAdmin(signer.peer)) return;
    let next: number | undefined;
    for (const [id, statement] of dependencies.agreed()) {
      const left = await advance(id, statement);
      if (left !== undefined) next = Math.min(next ?? left, left);
    }
    cancelTimer();
    cancelTimer = next === undefined ? () => {} : clock.after(next, () => void settle());
  };
  // One at a time: a draft is signed before the next look at what is missing.
  let turn: Promise<void> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  };
  let isStopped = false;
  const settle = async (): Promise<void> => {
    if (isStopped) return;
    await inTurn(settleNow).catch((error: unknown) => logger.warn("motions were not settled", { error }));
  };

  return {
    async load() {
      const stored = await store.get(SEQUENCE_KEY);
      sequence = Math.max(
        stored === undefined ? 0 : Number(new TextDecoder().decode(stored)),
        log.nextSequence(signer.peer),
      );
    },
    draft,
    inTurn,
    hurry: (id) => void since.set(id, clock.now() - TURN_MS * LIMITS.signatureCountMax),
    enter: ({ statement }) => void since.delete(statementDigest(statement)),
    settle,
    stop() {
      isStopped = true;
      cancelTimer();
    },
  };
}
