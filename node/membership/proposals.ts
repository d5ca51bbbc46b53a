/**
 * What waits for signatures: requests of admission, and drafts of entries. A signature on a draft says that its admin
 * agrees to the statement. Whoever agrees last drafts the entry with the agreeing admins as signers, and these add their
 * signatures by themselves, because they have agreed to that very statement.
 */
import type { ContentId } from "../../protocol/content-id.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { type AdmissionRequest, fingerprintOf, signAdmissionReply } from "../../protocol/membership/admission.ts";
import { type Entry, type Statement, statementDigest } from "../../protocol/membership/entry.ts";
import type { RosterMessage } from "../../protocol/membership/roster-message.ts";
import { adminsOf, roleOf } from "../../protocol/membership/roster-state.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import { withoutSigner } from "./cancelling.ts";
import { Decisions } from "./decisions.ts";
import { Drafting } from "./drafting.ts";
import { GrantsByPolicy } from "./grants-by-policy.ts";
import { MemberLabels } from "./member-labels.ts";
import type { MessageJudgement } from "./message-intake.ts";
import { PendingMessages, statementFor } from "./pending-messages.ts";
import { type Quorum, quorumEndedBy, quorumEndWords } from "./quorum.ts";
import type { RosterStore } from "./roster-store.ts";
import { type DraftTerms, isSound } from "./sound-drafts.ts";

/** What proposals need. */
export interface ProposalDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verify: VerifySignature;
  /** Members that are connected now: whose signatures come soon. */
  readonly present: () => readonly PeerId[];
  /** Tell the others; safe on this peer's disk already. */
  readonly publish: (message: RosterMessage) => void;
  /** Told of each request that waits for a person. */
  readonly onRequest?: (event: Extract<RosterEvent, { type: "request" }>) => void;
  /** Two different statements of one author under one sequence, as bytes of entries. */
  readonly onEquivocation: (first: Uint8Array, second: Uint8Array) => void;
  /** A draft is from later than this clock shows, and put off. */
  readonly onEarly?: (entry: Entry) => void;
  /** See MembershipDependencies. */
  readonly mayBeOld?: boolean | undefined;
}

/** What is to be decided, and who has. */
export interface Proposal {
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
  /** What it leaves of the admins, where afterwards too few are left to change anything, now or from a known time on. */
  readonly endsQuorum?: Quorum | undefined;
}

/** How a statement is proposed. */
export interface ProposalOptions {
  readonly cosigners?: readonly Signer[];
  readonly signers?: readonly PeerId[];
  /** Whether it is to be signed also when, by then, it leaves too few admins to change anything. */
  readonly isMeant?: boolean;
}

/** Everything that waits at one peer, and what its person may do about it. */
export class Proposals {
  readonly #dependencies: ProposalDependencies;
  readonly #decisions: Decisions;
  readonly #pending: PendingMessages;
  readonly #drafting: Drafting;
  /** Motions of requests that were told. */
  readonly #told = new Set<string>();
  readonly #grantsByPolicy: GrantsByPolicy;
  readonly #labels: MemberLabels;
  /** Motions of which it was said that they are not signed any more. */
  readonly #heldBack = new Set<string>();

  constructor(dependencies: ProposalDependencies) {
    const { store, roster, clock, verify, onEquivocation } = dependencies;
    this.#dependencies = dependencies;
    const save = (changes: readonly StoreChange[]): void => this.#save(changes);
    const isAdmin = (peer: PeerId): boolean => this.#isAdmin(peer);
    this.#decisions = new Decisions({ store, clock, save, entryCount: () => roster.log.entryCount });
    this.#pending = new PendingMessages({
      ...{ store, clock, verify, save, isAdmin, onEquivocation },
      isMember: (peer) => roleOf(roster.log.state(), peer, this.#nowSeconds()) !== undefined,
      hasDeclined: (id) => this.#decisions.hasDeclined(id),
      log: roster.log,
      onEarly: dependencies.onEarly,
      onOpenRequest: (request) => this.#agreeByPolicy(request),
    });
    this.#drafting = new Drafting({
      ...dependencies,
      ...{ pending: this.#pending, isAdmin, agreed: () => this.#agreed() },
      hasAgreed: (id) => this.#decisions.hasAgreed(id),
      termsOf: (id) => this.#termsOf(id),
    });
    this.#grantsByPolicy = new GrantsByPolicy({ store, clock, save });
    this.#labels = new MemberLabels({ store, save });
    roster.onEntry((entry) => this.#enter(entry));
  }

  /** Read what is on disk.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    await this.#drafting.load();
    await this.#decisions.load();
    await this.#grantsByPolicy.load();
    await this.#labels.load();
    await this.#pending.load();
  }

  /** Keep a request, a draft or a denial where it is news.  Throws: nothing of these kinds. */
  take(message: RosterMessage): MessageJudgement {
    const judgement = this.#pending.take(message);
    if (message.kind === "request" && judgement.verdict === "accept") this.#tellRequests();
    return judgement;
  }

  /** Who waits for a person's decision here, each told once. */
  #tellRequests(): void {
    for (const { id, request } of this.pending()) {
      if (request === undefined || this.#told.has(id) || this.#decisions.hasAgreed(id)) continue;
      this.#told.add(id);
      const { candidate: peer, label, fingerprint } = request;
      this.#dependencies.onRequest?.({ type: "request", motion: id, peer, label, fingerprint });
    }
  }

  /** Messages for a neighbour: what is not decided yet. */
  messages(): readonly RosterMessage[] {
    return this.#pending.messages();
  }

  /** What waits; what this peer has declined for itself only when it is asked for. */
  pending({ declined = false }: { readonly declined?: boolean } = {}): readonly Proposal[] {
    const isShown = (id: string): boolean =>
      declined || this.#pending.requestFor(id) !== undefined || !this.#decisions.hasDeclined(id);
    return [...this.#pending.statements()]
      .filter(([id]) => isShown(id))
      .map(([id, statement]) => this.#proposalOf(id, statement));
  }

  /**
   * Agree to a statement and draft it. `cosigners` sign beside this peer, such as the new key of a rotation; `signers` are
   * asked to, when it is not left to who approves.
   * Throws: NodeError NOT_ALLOWED, IDENTITY_IN_USE; ProtocolError FIELD_INVALID; STORE_FAILED.
   */
  propose(statement: Statement, { cosigners = [], signers, isMeant = false }: ProposalOptions = {}): Promise<Proposal> {
    return this.#drafting.inTurn(async () => {
      if (statement.kind !== "rotate") this.#requireAdmin();
      this.#drafting.requireNewest();
      const { signer, roster } = this.#dependencies;
      const id = statementDigest(statement);
      this.#decisions.agree(id, { isMeant });
      const willing = this.#pending.approversOf(id).filter((peer) => peer !== signer.peer);
      const chosen = signers ?? [signer.peer, ...willing].slice(0, roster.log.state().policy.threshold);
      await this.#drafting.draft(statement, chosen, cosigners);
      return this.#proposalOf(id, statement);
    });
  }

  /** Agree to what waits, also where this peer has declined it before.  Throws: NodeError NOT_ALLOWED. */
  async approve(id: string, { isMeant = false }: Pick<ProposalOptions, "isMeant"> = {}): Promise<Proposal> {
    this.#requireAdmin();
    const statement = this.#statementOf(id);
    this.#decisions.agree(id, { isMeant });
    this.#drafting.hurry(id);
    await this.#drafting.settle();
    return this.#proposalOf(id, statement);
  }

  /**
   * Decline. Of a request of admission the other peers are told; anything else is not pending at this peer any more, whoever
   * drafts it again, until DECISION_SECONDS have passed or this peer approves or proposes it itself.  Throws: NodeError NOT_ALLOWED.
   */
  async deny(id: string): Promise<Proposal> {
    this.#requireAdmin();
    const { roster, signer, publish } = this.#dependencies;
    const statement = this.#statementOf(id);
    this.#decisions.decline(id);
    const asked = this.#pending.requestFor(id);
    if (asked === undefined) {
      await roster.written();
      return this.#proposalOf(id, statement);
    }
    const where = { networkId: roster.log.networkId, request: asked.id };
    const body = signAdmissionReply({ code: "denied", reason: "DECLINED" }, where, signer);
    if (this.take({ kind: "denial", body }).verdict === "accept") {
      await roster.written();
      publish({ kind: "denial", body });
    }
    return this.#proposalOf(id, statement);
  }

  /** What is to sign a statement, by the drafts of it. */
  signersOf(id: string): readonly PeerId[] {
    return [...new Set(this.#pending.draftsOf(id).flatMap(({ signers }) => signers))];
  }

  /** Whether each draft of a statement is one that this peer does not sign (sound-drafts.ts). */
  isOutdated(id: string): boolean {
    const drafts = this.#pending.draftsOf(id);
    const { log } = this.#dependencies.roster;
    return drafts.length > 0 && drafts.every((one) => !isSound(one, log, this.#termsOf(id)));
  }

  /** Drafts that this peer has signed and that still wait: it cannot take its signature back. */
  signed(): readonly Entry[] {
    const { peer } = this.#dependencies.signer;
    return this.#pending.drafts().filter(({ signers, signatures }) => signatures[signers.indexOf(peer)]?.length);
  }

  /** What a statement leaves of the admins, where too few are left once it and all that this peer has agreed to have happened. */
  quorumEndedBy(statement: Statement): Quorum | undefined {
    const id = statementDigest(statement);
    const agreed = [...this.#pending.statements()].filter(([one]) => one !== id && this.#decisions.hasAgreed(one));
    const signed = this.signed().filter((draft) => statementDigest(draft.statement) !== id);
    const others = [...agreed.map(([, one]) => one), ...signed.map((draft) => withoutSigner(draft, statement))];
    return quorumEndedBy(this.#dependencies.roster.log.state(), statement, this.#nowSeconds(), others);
  }

  /** Whether enough admins have declined that too few are left to agree. */
  isDeclined(request: ContentId): boolean {
    const { roster } = this.#dependencies;
    const admins = adminsOf(roster.log.state(), this.#nowSeconds()).length;
    return this.#pending.deniersOf(request).length > admins - roster.log.state().policy.threshold;
  }

  /** The key of the invite by which somebody waits for a decision about itself. */
  inviteOf(peer: PeerId): string | undefined {
    return this.#pending.requests().find(({ candidate }) => candidate === peer)?.ticket.key;
  }

  /** A neighbour has said what it holds, or a person says that nobody holds more: this peer may draft. */
  heard(): void {
    this.#drafting.heard();
  }

  /** Look again at everything that waits; called when the roster, the time or who is present has changed.  Throws: nothing. */
  async settle(): Promise<void> {
    await this.#drafting.settle();
  }

  /** Wait for nothing any more; idempotent. */
  stop(): void {
    this.#drafting.stop();
  }

  /** What a peer called itself, where this one saw its request: it chose that itself, and another one may have the same. */
  labelOf(peer: string): string | undefined {
    return this.#labels.of(peer) ?? this.#pending.requests().find(({ candidate }) => candidate === peer)?.label;
  }

  #termsOf(id: string): DraftTerms {
    return { isMeant: this.#decisions.isMeant(id), entriesBefore: this.#decisions.entriesBefore(id) };
  }

  #enter(entry: Entry): void {
    this.#keepLabel(entry.statement);
    this.#pending.enter(entry);
    // What was agreed to has happened; saying it again needs a new decision.
    this.#decisions.forget(statementDigest(entry.statement));
    this.#heldBack.delete(statementDigest(entry.statement));
    this.#drafting.enter(entry);
  }

  /** A new key goes on with the label of the one that it replaces. */
  #keepLabel(statement: Statement): void {
    if (statement.kind !== "admit" && statement.kind !== "rotate") return;
    const { subject } = statement;
    const label =
      statement.kind === "rotate"
        ? this.#labels.of(statement.replaces)
        : this.#pending.requests().find(({ candidate }) => candidate === subject)?.label;
    if (label !== undefined) this.#labels.keep(subject, label);
  }

  /** A request that the policy lets in without a person; one too many of an issuer waits for a person all the same. */
  #agreeByPolicy(request: AdmissionRequest): void {
    const { roster, signer, logger } = this.#dependencies;
    const id = statementDigest(statementFor(request, roster.log));
    if (!this.#isAdmin(signer.peer) || this.#decisions.hasAgreed(id) || this.#decisions.hasDeclined(id)) return;
    const { issuer } = request.ticket;
    if (this.#grantsByPolicy.take(issuer)) this.#decisions.agree(id);
    else logger.warn("an admin's invites ask for many admissions; this one waits for a person", { issuer });
  }

  *#agreed(): Iterable<readonly [string, Statement]> {
    for (const [id, statement] of this.#pending.statements()) {
      if (this.#decisions.hasAgreed(id) && !this.#isHeldBack(id, statement)) yield [id, statement];
    }
  }

  /** Of two removals that leave enough admins each, the second one may leave too few once the first one has happened. */
  #isHeldBack(id: string, statement: Statement): boolean {
    if (this.#decisions.isMeant(id)) return false;
    const { roster, logger } = this.#dependencies;
    const quorum = quorumEndedBy(roster.log.state(), statement, this.#nowSeconds());
    if (quorum === undefined) return false;
    if (!this.#heldBack.has(id)) {
      const reason = quorumEndWords(quorum, this.#nowSeconds());
      logger.warn("a motion that this peer agreed to is not signed any more; approve it again if it is meant", {
        id,
        reason,
      });
    }
    this.#heldBack.add(id);
    return true;
  }

  #proposalOf(id: string, statement: Statement): Proposal {
    const { roster, signer } = this.#dependencies;
    const asked = this.#pending.requestFor(id);
    const isDeclinedHere = this.#decisions.hasDeclined(id);
    return {
      id,
      statement,
      request: asked && {
        candidate: asked.candidate,
        label: asked.label,
        issuedAt: asked.issuedAt,
        fingerprint: fingerprintOf(roster.log.networkId, asked.candidate),
      },
      approvedBy: this.#pending.approversOf(id),
      deniedBy: asked === undefined ? (isDeclinedHere ? [signer.peer] : []) : this.#pending.deniersOf(asked.id),
      isDeclinedHere,
      threshold: roster.log.state().policy.threshold,
      endsQuorum: this.quorumEndedBy(statement),
    };
  }

  #statementOf(id: string): Statement {
    const statement = this.#pending.statements().get(id);
    if (statement !== undefined) return statement;
    throw new NodeError("NOT_ALLOWED", `nothing named ${id} waits for a decision`, { id, problem: "motion-unknown" });
  }

  #requireAdmin(): void {
    const { peer } = this.#dependencies.signer;
    if (this.#isAdmin(peer)) return;
    throw new NodeError("NOT_ALLOWED", "only an admin of the network decides this; this peer is none", { peer });
  }

  #isAdmin(peer: PeerId): boolean {
    return roleOf(this.#dependencies.roster.log.state(), peer, this.#nowSeconds()) === "admin";
  }

  #save(changes: readonly StoreChange[]): void {
    const { roster, logger } = this.#dependencies;
    // Told again by neighbours when it is lost.
    roster
      .save(changes)
      .catch((error: unknown) => logger.warn("a message about the roster was not written", { error }));
  }

  #nowSeconds(): number {
    return Math.floor(this.#dependencies.clock.now() / 1000);
  }
}
