/**
 * What waits for signatures: requests of admission, and drafts of entries. A signature on a draft says that its admin
 * agrees to the statement. Whoever agrees last drafts the entry with the agreeing admins as signers, and these add their
 * signatures by themselves, because they have agreed to that very statement.
 */
import type { ContentId } from "../../protocol/content-id.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { type AdmissionRequest, fingerprintOf, signAdmissionReply } from "../../protocol/membership/admission.ts";
import { type Entry, type Statement, statementDigest } from "../../protocol/membership/entry.ts";
import type { RosterNote } from "../../protocol/membership/roster-note.ts";
import { adminsOf, roleOf } from "../../protocol/membership/roster-state.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import { createDecisions } from "./decisions.ts";
import { createDrafting } from "./drafting.ts";
import { createEnteredStatements } from "./entered-statements.ts";
import type { NoteJudgement } from "./note-judgement.ts";
import type { RosterStore } from "./roster-store.ts";
import { createWaitingNotes, statementFor } from "./waiting-notes.ts";

export interface MotionDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verify: VerifySignature;
  /** Members that are connected now: whose signatures come soon. */
  readonly present: () => readonly PeerId[];
  /** Tell the others; safe on this peer's disk already. */
  readonly publish: (note: RosterNote) => void;
  /** Two different statements of one author under one sequence, as bytes of entries. */
  readonly onEquivocation: (first: Uint8Array, second: Uint8Array) => void;
}

/** What is to be decided, and who has. */
export interface Motion {
  /** Names the statement, by which it is approved; the same at every peer. */
  readonly id: string;
  readonly statement: Statement;
  /** What the statement grants, where somebody asked for it by an invite. */
  readonly request:
    | (Pick<AdmissionRequest, "candidate" | "label" | "issuedAt"> & { readonly fingerprint: string })
    | undefined;
  readonly approvedBy: readonly PeerId[];
  readonly deniedBy: readonly PeerId[];
  /** Whether this peer has declined it; approving it takes that back. */
  readonly isDeclinedHere: boolean;
  /** Admins that have to agree in all. */
  readonly threshold: number;
}

export interface Motions {
  /** Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
  take(note: RosterNote): NoteJudgement;
  /** Notes for a neighbour: what is not decided yet. */
  notes(): readonly RosterNote[];
  /** What waits; what this peer has declined for itself only when it is asked for. */
  pending(options?: { readonly declined?: boolean }): readonly Motion[];
  /**
   * Agree to a statement and draft it. `cosigners` sign beside this peer, such as the new key of a rotation; `signers` are
   * asked to, when it is not left to who approves.
   * Throws: NodeError NOT_ALLOWED; ProtocolError FIELD_INVALID; STORE_FAILED.
   */
  propose(
    statement: Statement,
    options?: { readonly cosigners?: readonly Signer[]; readonly signers?: readonly PeerId[] },
  ): Promise<Motion>;
  /** Agree to what waits, also where this peer has declined it before.  Throws: NodeError NOT_ALLOWED. */
  approve(id: string): Promise<Motion>;
  /**
   * Decline. Of a request of admission the other peers are told; anything else is not pending at this peer any more, whoever
   * drafts it again, until DECLINED_SECONDS have passed or this peer approves or proposes it itself.  Throws: NodeError NOT_ALLOWED.
   */
  deny(id: string): Promise<Motion>;
  /** Whether enough admins have declined that too few are left to agree. */
  isDeclined(request: ContentId): boolean;
  /** Whether somebody waits for a decision about itself. */
  isCandidate(peer: PeerId): boolean;
  /** Look again at everything that waits; called when the roster, the time or who is present has changed. */
  settle(): Promise<void>;
  /** Wait for nothing any more; idempotent. */
  stop(): void;
}

export function createMotions(dependencies: MotionDependencies): Motions {
  const { store, roster, signer, clock, logger, verify, present, publish } = dependencies;
  const { log } = roster;
  const now = (): number => Math.floor(clock.now() / 1000);
  const isAdmin = (peer: PeerId): boolean => roleOf(log.state(), peer, now()) === "admin";
  const save = (changes: readonly StoreChange[]): void => {
    // Told again by neighbours when it is lost.
    roster.save(changes).catch((error: unknown) => logger.warn("a note about the roster was not written", { error }));
  };
  const decisions = createDecisions({ store, clock, save });
  const entered = createEnteredStatements(log);
  const waiting = createWaitingNotes({
    store,
    log,
    clock,
    verify,
    save,
    isAdmin,
    isDone: entered.isDone,
    onEquivocation: dependencies.onEquivocation,
    onOpenRequest(request) {
      const id = statementDigest(statementFor(request, log));
      if (isAdmin(signer.peer) && !decisions.hasDeclined(id)) decisions.agree(id);
    },
  });
  const statements = (): ReadonlyMap<string, Statement> => {
    const all = waiting.drafts().map(({ statement }) => statement);
    for (const request of waiting.requests()) all.push(statementFor(request, log));
    return new Map(all.map((statement) => [statementDigest(statement), statement]));
  };
  function* agreed(): Iterable<readonly [string, Statement]> {
    for (const [id, statement] of statements()) if (decisions.hasAgreed(id)) yield [id, statement];
  }
  const drafting = createDrafting({
    ...{ store, roster, signer, clock, logger, waiting },
    ...{ isAdmin, present, publish, agreed },
  });
  const requestFor = (id: string): AdmissionRequest | undefined =>
    waiting.requests().find((request) => statementDigest(statementFor(request, log)) === id);

  const motionOf = (id: string, statement: Statement): Motion => {
    const asked = requestFor(id);
    const isDeclinedHere = decisions.hasDeclined(id);
    return {
      id,
      statement,
      request: asked && {
        candidate: asked.candidate,
        label: asked.label,
        issuedAt: asked.issuedAt,
        fingerprint: fingerprintOf(log.networkId, asked.candidate),
      },
      approvedBy: waiting.approversOf(id),
      deniedBy: asked === undefined ? (isDeclinedHere ? [signer.peer] : []) : waiting.deniersOf(asked.id),
      isDeclinedHere,
      threshold: log.state().policy.threshold,
    };
  };
  const statementOf = (id: string): Statement => {
    const statement = statements().get(id);
    if (statement !== undefined) return statement;
    throw new NodeError("NOT_ALLOWED", `nothing named ${id} waits for a decision`, { id, problem: "motion-unknown" });
  };
  const requireAdmin = (): void => {
    if (isAdmin(signer.peer)) return;
    throw new NodeError("NOT_ALLOWED", "only an admin of the network decides this; this peer is none", {
      peer: signer.peer,
    });
  };

  roster.onEntry((entry: Entry) => {
    entered.add(entry);
    // What was agreed to has happened; saying it again needs a new decision.
    decisions.forget(statementDigest(entry.statement));
    drafting.enter(entry);
  });
  return {
    async load() {
      await drafting.load();
      await decisions.load();
      await waiting.load();
    },
    take: (note) => waiting.take(note),
    notes: () => waiting.notes(),
    pending({ declined = false } = {}) {
      const isShown = (id: string): boolean => declined || requestFor(id) !== undefined || !decisions.hasDeclined(id);
      return [...statements()].filter(([id]) => isShown(id)).map(([id, statement]) => motionOf(id, statement));
    },
    propose: (statement, { cosigners = [], signers } = {}) =>
      drafting.inTurn(async () => {
        if (statement.kind !== "rotate") requireAdmin();
        const id = statementDigest(statement);
        decisions.agree(id);
        const willing = waiting.approversOf(id).filter((peer) => peer !== signer.peer);
        const chosen = signers ?? [signer.peer, ...willing].slice(0, log.state().policy.threshold);
        await drafting.draft(statement, chosen, cosigners);
        return motionOf(id, statement);
      }),
    async approve(id) {
      requireAdmin();
      const statement = statementOf(id);
      decisions.agree(id);
      drafting.hurry(id);
      await drafting.settle();
      return motionOf(id, statement);
    },
    async deny(id) {
      requireAdmin();
      const statement = statementOf(id);
      decisions.decline(id);
      const asked = requestFor(id);
      if (asked === undefined) {
        await roster.written();
        return motionOf(id, statement);
      }
      const where = { networkId: log.networkId, request: asked.id };
      const body = signAdmissionReply({ code: "denied", reason: "DECLINED" }, where, signer);
      if (waiting.take({ kind: "denial", body }).verdict === "accept") {
        await roster.written();
        publish({ kind: "denial", body });
      }
      return motionOf(id, statement);
    },
    isDeclined(request) {
      const admins = adminsOf(log.state(), now()).length;
      return waiting.deniersOf(request).length > admins - log.state().policy.threshold;
    },
    isCandidate: (peer) => waiting.requests().some(({ candidate }) => candidate === peer),
    settle: drafting.settle,
    stop: drafting.stop,
  };
}
