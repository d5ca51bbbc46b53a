/**
 * The membership of one peer in a network with a roster, put together: the roster on disk, what waits for signatures,
 * gossip and exchange of entries, the gate at the connection, admission of who holds an invite. The exchange of updates asks
 * it at every layer (interface/membership.ts); people act through the desk (see roster-desk.ts).
 */

import type { Signer } from "../../protocol/envelope.ts";
import { type GossipTopic, rosterTopic } from "../../protocol/gossip-topics.ts";
import type { ShownJudgement, ShownMembership } from "../../protocol/handshake.ts";
import type { EntryId } from "../../protocol/membership/entry.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import { encodeRosterMessage, type RosterMessage } from "../../protocol/membership/roster-message.ts";
import { keepsEarlierUpdates } from "../../protocol/membership/roster-state.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { type Background, createBackground } from "../exchange/background.ts";
import { RateLimiter } from "../exchange/rate-limiter.ts";
import type { Clock } from "../interface/clock.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { Logger } from "../interface/logger.ts";
import type { MemberStatus, Membership } from "../interface/membership.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import { AdmissionExchange } from "./admission.ts";
import { Certificates } from "./certificates.ts";
import { ClocksAhead } from "./clocks-ahead.ts";
import { EquivocationProofs } from "./equivocation-proofs.ts";
import { Hearing } from "./hearing.ts";
import { MEMBERSHIP_DEFAULTS, type MembershipLimits } from "./membership-limits.ts";
import { MessageIntake, type MessageJudgement } from "./message-intake.ts";
import { Migration, type SuccessorLink } from "./migration.ts";
import { fetchManifest, GenesisExchange, SuccessorExchange } from "./network-exchange.ts";
import { Proposals } from "./proposals.ts";
import { RosterExchange } from "./roster-exchange.ts";
import { openRosterStore, type RosterStore } from "./roster-store.ts";
import { type RosterChange, RosterWatch, rosterEvent } from "./roster-watch.ts";
import { Statuses } from "./status.ts";
import { Succession } from "./succession.ts";
import { Visits } from "./visits.ts";

/** What a membership stands on. */
export interface MembershipDependencies {
  /** Stopped; the exchange starts and stops it. */
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the same identity as the transport. */
  readonly signer: Signer;
  readonly verify: VerifySignature;
  /** Whether the files are a copy or come from a backup: then nothing is drafted before others have said what they hold. */
  readonly mayBeOld?: boolean;
  /** Called once, when enough members have said what they hold, or a person that nobody holds more. */
  readonly onHeard?: () => void;
}

/** Which network, and what it may cost. */
export interface MembershipOptions extends Partial<MembershipLimits> {
  /** Of the roster's first network. */
  readonly genesis: Genesis;
  /** The manifest that is trained under; that of the genesis when absent. */
  readonly manifest?: NetworkManifest;
}

/** The roster from disk and what rests on it, not started.  Throws: GENESIS_INVALID; NodeError STORE_FAILED, DISK_FULL. */
export async function createMembership(
  dependencies: MembershipDependencies,
  options: MembershipOptions,
): Promise<RosterMembership> {
  const membership = new RosterMembership(
    { ...dependencies, roster: await openRosterStore(dependencies, options.genesis) },
    options,
  );
  await membership.load();
  return membership;
}

/** Membership as the composition root sees it; see createMembership. */
export class RosterMembership implements Membership {
  readonly roster: RosterStore;
  readonly proposals: Proposals;
  readonly migration: Migration;
  readonly #dependencies: MembershipDependencies;
  readonly #manifest: NetworkManifest;
  readonly #background: Background;
  readonly #statuses: Statuses;
  readonly #proofs: EquivocationProofs;
  readonly #certificates: Certificates;
  readonly #watch: RosterWatch;
  readonly #clocks: ClocksAhead;
  readonly #intake: MessageIntake;
  readonly #exchange: RosterExchange;
  readonly #admission: AdmissionExchange;
  /** In the order of their start. */
  readonly #conversations: readonly Conversation[];
  readonly #visits: Visits;
  readonly #hearing: Hearing;
  readonly #succession: Succession;
  readonly #changeListeners: (() => void)[] = [];

  constructor(dependencies: MembershipDependencies & { readonly roster: RosterStore }, options: MembershipOptions) {
    const { roster, transport, clock, logger, signer } = dependencies;
    const limits: MembershipLimits = { ...MEMBERSHIP_DEFAULTS, ...options };
    const { genesis, manifest = genesis.manifest } = options;
    const self = signer.peer;
    const statuses = new Statuses({ log: roster.log, clock }, limits);
    this.#dependencies = dependencies;
    this.#manifest = manifest;
    this.roster = roster;
    this.#background = createBackground({ logger });
    this.#statuses = statuses;
    this.#proofs = new EquivocationProofs({ ...dependencies, self, network: networkId(manifest) });
    this.#certificates = new Certificates({ ...dependencies, statuses, self });
    this.#watch = new RosterWatch({ ...{ roster, statuses, clock, logger, self }, proofs: this.#proofs });
    this.#clocks = new ClocksAhead({
      ...{ clock, verify: dependencies.verify, isMember: (peer) => statuses.isMember(peer) },
      tell: (event) => this.#watch.tell(event),
    });
    this.proposals = new Proposals({
      ...dependencies,
      present: () => this.#present(),
      publish: (message) => this.#publish(message),
      onRequest: (event) => this.#watch.tell(event),
      onEquivocation: (first, second) => this.#report("roster-entry", first, second),
      onEarly: (entry) => this.#clocks.note(entry),
    });
    this.migration = new Migration(
      {
        ...{ store: dependencies.store, roster, isMember: (peer) => statuses.isMember(peer) },
        fetchManifest: (peer, id, signal) =>
          fetchManifest({ transport, clock }, { peer, timeoutMs: limits.admissionTimeoutMs, signal }, id),
      },
      { first: genesis.manifest, current: manifest },
    );
    this.#hearing = new Hearing({
      self,
      state: () => roster.log.state(),
      nowSeconds: () => Math.floor(clock.now() / 1000),
      onHeard: () => {
        this.proposals.heard();
        dependencies.onHeard?.();
        void this.proposals.settle();
      },
    });
    this.#intake = this.#createIntake(limits);
    this.#exchange = this.#createExchange(limits);
    this.#admission = new AdmissionExchange(
      {
        ...dependencies,
        proposals: this.proposals,
        publish: (message) => this.#publish(message),
        onShown: (peer, invite) => this.#visits.show(peer, invite),
        onAnswered: (peer) => this.#visits.finish(peer),
      },
      limits,
    );
    this.#conversations = [this.#exchange, this.#admission, ...this.#createNetworkExchanges(genesis, limits)];
    this.#visits = this.#createVisits(limits);
    this.#watch.onChange((change) => this.#changed(change));
    this.#succession = new Succession({
      ...{ roster, migration: this.migration, background: this.#background },
      present: () => this.#present(),
      ask: (peer) => this.#exchange.ask(peer),
      tell: (event) => this.#watch.tell(event),
    });
  }

  /** Read what is on disk; before anything else.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    await this.migration.load();
    await this.#proofs.load();
    await this.#certificates.load();
    await this.proposals.load();
    this.#watch.begin();
  }

  /** Handle protocols and gossip; before the transport starts, after the exchange was made. */
  async start(): Promise<void> {
    const { transport } = this.#dependencies;
    transport.onConnect((peer) => {
      this.#visits.begin(peer, transport.originOf(peer));
      void this.proposals.settle();
    });
    transport.onDisconnect((peer) => {
      this.#visits.end(peer);
      this.#succession.leave(peer);
      this.#exchange.forget(peer);
    });
    transport.subscribe(this.#topic(), {
      validate: (bytes, from) => this.#exchange.validate(bytes, from),
      deliver: () => {},
    });
    for (const conversation of this.#conversations) await conversation.start();
    this.#watch.arm();
    void this.proposals.settle();
  }

  /** End everything under way; idempotent. The transport is the exchange's to stop. */
  async stop(): Promise<void> {
    this.#watch.stop();
    this.#visits.stop();
    this.proposals.stop();
    for (const conversation of this.#conversations) await conversation.stop();
    await this.#background.stop();
    await this.roster.written();
  }

  /** The roster as a whole, as onEvent tells it. */
  rosterEvent(): RosterEvent {
    const { clock, signer } = this.#dependencies;
    return rosterEvent({ self: signer.peer, state: this.roster.log.state(), seconds: Math.floor(clock.now() / 1000) });
  }

  /** What is about to end, as onEvent tells it. */
  endings(): readonly RosterEvent[] {
    return this.#watch.endings();
  }

  /** Whether a connection may be made; for the transport's gate. origin: where an inbound one comes from. */
  admits(peer: PeerId, origin?: string): boolean {
    return this.#visits.admits(peer, origin);
  }

  /** Whether somebody takes part in gossip; for the transport. */
  mayGossip(peer: PeerId): boolean {
    return this.#statuses.isMember(peer);
  }

  /** A peer is past its handshake: ask it what it holds. */
  welcome(peer: PeerId): void {
    this.migration.join(peer);
    void this.#exchange.ask(peer);
    this.#succession.fetchMissing([peer]);
  }

  /** Ask one peer what it holds, whoever it is; resolves when it has answered or failed. */
  async pull(peer: PeerId): Promise<void> {
    await this.#exchange.ask(peer);
  }

  /** A person says that nobody holds more of this peer's key than its files do. */
  heard(): void {
    this.#hearing.end();
  }

  /** Ask every member that is connected what it holds; resolves when each has answered or failed. */
  async pullAll(): Promise<void> {
    await Promise.all(this.#present().map((peer) => this.#exchange.ask(peer)));
  }

  /** What this peer should migrate to, in turn, because the others have; see migration.ts. */
  followed(): readonly SuccessorLink[] {
    return this.migration.followed();
  }

  /** Call when what `migration` or `followed` say may have changed. */
  onSuccession(listener: () => void): void {
    this.#succession.onChange(listener);
  }

  /** Take a message as if a neighbour had sent it, and pass it on.  Throws: nothing. */
  takeMessage(message: RosterMessage): MessageJudgement {
    const judgement = this.#intake.message(message);
    if (judgement.verdict === "accept") this.#publish(message);
    return judgement;
  }

  /** How often messages were judged how, by code. */
  codes(): Readonly<Record<string, number>> {
    return this.#intake.codes();
  }

  /** Call with what operators are told. */
  onEvent(listener: (event: RosterEvent) => void): void {
    this.#watch.onEvent(listener);
  }

  /** See Membership. */
  roleOf(peer: PeerId): Role | undefined {
    return this.#statuses.roleOf(peer);
  }

  /** See Membership. */
  statusOf(peer: PeerId): MemberStatus {
    return this.#statuses.statusOf(peer);
  }

  /** See Membership. */
  keepsUpdatesOf(author: PeerId): boolean {
    return keepsEarlierUpdates(this.roster.log.state(), author);
  }

  /** See Membership. */
  judgeShown(peer: PeerId, shown: ShownMembership): ShownJudgement {
    const judged = this.#certificates.judgeShown(peer, shown);
    if (judged === "ROSTER") this.#visits.linger(peer);
    return judged;
  }

  /** See Membership. */
  shown(known?: readonly EntryId[]): ShownMembership {
    return this.#certificates.shown(known);
  }

  /** See Membership. */
  heads(): readonly EntryId[] {
    return this.roster.log.nextParents();
  }

  /** See Membership. */
  async meetElsewhere(peer: PeerId, manifest: NetworkManifest): Promise<void> {
    await this.#succession.meetElsewhere(peer, manifest);
  }

  /** See Membership. */
  reportEquivocation(first: Uint8Array, second: Uint8Array): void {
    this.#report("announcement", first, second);
  }

  /** See Membership. */
  onChange(listener: () => void): void {
    this.#changeListeners.push(listener);
  }

  #createIntake({ messagesBurst, messagesPerSecond, visitsRememberedMax }: MembershipLimits): MessageIntake {
    const { clock, logger } = this.#dependencies;
    const rates = { burst: messagesBurst, perPeriod: messagesPerSecond, periodMs: 1000, peersMax: visitsRememberedMax };
    return new MessageIntake({
      ...{ roster: this.roster, logger, rates: new RateLimiter({ clock }, rates) },
      onEarly: (entry) => this.#clocks.note(entry),
      takeProof: (body) => this.#proofs.take(body),
      takePending: (message) => {
        const judgement = this.proposals.take(message);
        if (judgement.verdict === "accept") void this.proposals.settle();
        return judgement;
      },
      roleOf: (peer) => this.#statuses.roleOf(peer),
    });
  }

  #createExchange(limits: MembershipLimits): RosterExchange {
    const { transport, clock } = this.#dependencies;
    const proofs = (): readonly RosterMessage[] =>
      this.#proofs.bodies().map((body) => ({ kind: "proof" as const, body }));
    return new RosterExchange(
      {
        ...{ transport, clock, roster: this.roster, background: this.#background, intake: this.#intake },
        messages: () => [...this.proposals.messages(), ...proofs()],
        isMember: (peer) => this.#statuses.isMember(peer),
        present: () => this.#present(),
        publish: (message) => this.#publish(message),
        hangUp: (peer) => this.#hangUp(peer),
        onAnswered: (peer) => this.#hearing.answered(peer),
      },
      limits,
    );
  }

  #createNetworkExchanges(genesis: Genesis, limits: MembershipLimits): readonly Conversation[] {
    const { transport, clock, verify } = this.#dependencies;
    const network = networkId(this.#manifest);
    const onShown = (peer: PeerId, invite: string): void => this.#visits.show(peer, invite);
    const common = { transport, clock, verify, log: this.roster.log, onShown };
    const isMember = (peer: PeerId): boolean => this.#statuses.isMember(peer);
    const manifestOf = (id: NetworkId): NetworkManifest | undefined => this.migration.manifestOf(id);
    const story = () => ({ manifests: this.migration.chain(), network });
    return [
      new GenesisExchange({ ...common, genesis, isMember, manifestOf }, limits),
      new SuccessorExchange({ ...common, story }, limits),
    ];
  }

  #createVisits(limits: MembershipLimits): Visits {
    return new Visits(
      {
        clock: this.#dependencies.clock,
        statusOf: (peer) => this.#statuses.statusOf(peer),
        inviteOf: (peer) => this.proposals.inviteOf(peer),
        hangUp: (peer) => this.#hangUp(peer),
        dismiss: (peer) => this.#exchange.dismiss(peer),
      },
      limits,
    );
  }

  /** The roster is another one, or somebody's time has come; its events were told. */
  #changed({ isSucceeded }: RosterChange): void {
    const { transport, signer } = this.#dependencies;
    this.#succession.review({ isAgreed: isSucceeded });
    for (const listener of this.#changeListeners) listener();
    this.#admission.review();
    this.#visits.review();
    // A peer that was removed has nothing to do here any more.
    if (this.#statuses.statusOf(signer.peer) === "removed") {
      for (const peer of transport.connected()) this.#hangUp(peer);
    }
    void this.proposals.settle();
  }

  #report(kind: "announcement" | "roster-entry", first: Uint8Array, second: Uint8Array): void {
    const body = this.#proofs.prove(kind, first, second);
    if (body !== undefined) this.#publish({ kind: "proof", body });
  }

  #publish(message: RosterMessage): void {
    const { transport } = this.#dependencies;
    const bytes = encodeRosterMessage(message);
    void this.#background.run("gossip about the roster", () => transport.publish(this.#topic(), bytes));
  }

  #hangUp(peer: PeerId): void {
    void this.#background.run("hanging up", () => this.#dependencies.transport.hangUp(peer));
  }

  /** Members that are connected now. */
  #present(): readonly PeerId[] {
    const isMember = (peer: PeerId): boolean => this.#statuses.isMember(peer);
    return this.#dependencies.transport.connected().filter(isMember);
  }

  #topic(): GossipTopic {
    return rosterTopic(this.roster.log.networkId);
  }
}
