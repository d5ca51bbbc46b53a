/**
 * The exchange of updates with neighbours, put together: the conversations, gossip of announcements, the own chain and the
 * inbox. It knows nothing of training; the round driver tells it the round.
 */
import type { ContentId } from "../../protocol/content-id.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { FEATURES, type Feature } from "../../protocol/features.ts";
import { announcementTopic, type GossipTopic } from "../../protocol/gossip-topics.ts";
import { type Cryptography, judgeRules } from "../../protocol/judge-context.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { maySend } from "../../protocol/membership/roles.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { LoopMarks } from "../interface/event-loop.ts";
import type { PublishedUpdate, ReceivedUpdate, UpdateExchange, UpdateNotice } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { Membership } from "../interface/membership.ts";
import type { Sketches } from "../interface/sketches.ts";
import type { Store } from "../interface/store.ts";
import type { Standing, Transport } from "../interface/transport.ts";
import { AddressExchange } from "./address-exchange.ts";
import { type Background, createBackground } from "./background.ts";
import { BlobTransfer } from "./blob-transfer.ts";
import { Checkups } from "./checkup.ts";
import type { ConversationDependencies } from "./conversation.ts";
import { EXCHANGE_DEFAULTS, type ExchangeLimits } from "./exchange-limits.ts";
import { Handshake } from "./handshake.ts";
import { HeadExchange } from "./head-exchange.ts";
import { Inbox } from "./inbox.ts";
import { Intake } from "./intake.ts";
import { createKnownHeads, type KnownHeads } from "./known-heads.ts";
import { Listeners } from "./listeners.ts";
import { NeighbourTable } from "./neighbour-table.ts";
import { createOpenPlaces } from "./open-places.ts";
import type { OwnUpdate } from "./own-chain.ts";
import { type EarlierLife, OwnUpdates } from "./own-updates.ts";
import { RoundPosition } from "./round-position.ts";
import { SketchExchange } from "./sketch-exchange.ts";
import type { Rules } from "./update-fetcher.ts";
import { type NoticeCounts, UpdateNotices } from "./update-notices.ts";

/** The network, the disk, the clock and the identity of a peer. */
export interface ExchangeDependencies extends Cryptography {
  /** Stopped; the exchange starts and stops it. */
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told who has the event loop. */
  readonly loop?: Pick<LoopMarks, "entered">;
  /** Of the same identity as the transport. */
  readonly signer: Signer;
}

/** The network of the exchange, its members, and bounds other than the defaults. */
export interface ExchangeOptions extends Partial<ExchangeLimits> {
  readonly manifest: NetworkManifest;
  /** Whether a peer belongs to the network; everybody when absent. */
  readonly isMember?: (peer: PeerId) => boolean;
  /** This peer's features, by name; all of this program when absent. A missing one is neither asked nor answered. */
  readonly features?: readonly string[];
  /** The members of the network and their roles, instead of `isMember`. Every layer asks it for itself. */
  readonly membership?: Membership;
  /** Whether this peer was told where to find a peer; where there is no roster, such a one always has room. */
  readonly isGiven?: (peer: PeerId) => boolean;
  /** Told of each connected peer that does not become a neighbour, and why, in a clause; the log warns of it when absent. */
  readonly onRefused?: (peer: PeerId, reason: string) => void;
}

/** The exchange as the round driver sees it, with the calls that the composition root needs besides. */
export interface Exchange extends UpdateExchange {
  /** Load the own chain and the inbox, then start the transport; idempotent.  Throws: NodeError STORE_FAILED, PORT_IN_USE, … */
  start(): Promise<void>;
  /** End everything under way and stop the transport; idempotent. */
  stop(): Promise<void>;
  /** Whether a peer is refused for a while; for the transport's gate. */
  refuses(peer: PeerId): boolean;
  /** Whether there is room for a connection from there; always where there is a roster, which judges by itself. */
  hasRoomFor(peer: PeerId, origin: string | undefined): boolean;
  /** What a peer is to this one; for the transport's relay. */
  standingOf(peer: PeerId): Standing;
  /** Peers that are connected and admitted. */
  admitted(): readonly PeerId[];
  isAuthor(peer: PeerId): boolean;
  onAdmitted(listener: (peer: PeerId) => void): void;
  onLeft(listener: (peer: PeerId) => void): void;
  /** Admitted peers that have welcomed this one. */
  welcoming(): readonly PeerId[];
  /** Whether this peer and an admitted one both have a feature. */
  shares(peer: PeerId, feature: Feature): boolean;
  /** Called with addresses of other peers that a neighbour tells, and who it is; hearsay, for the dialer to try. */
  onAddresses(listener: (addresses: readonly string[], from: PeerId) => void): void;
  /** Of data sets; only where the network weighs by them. */
  readonly sketches: Sketches | undefined;
  /** Asked before an update is signed that follows one which this peer's own store does not know; it throws to refuse. */
  onEarlierLife(mayFollow: (earlier: EarlierLife) => void): void;
  /** The last round that this peer published; undefined before the first. */
  publishedRound(): number | undefined;
  counts(): NoticeCounts;
}

/** Throws: TypeError when the signer is not of the transport's identity. */
export function createExchange(dependencies: ExchangeDependencies, options: ExchangeOptions): Exchange {
  return new PeerExchange(dependencies, options);
}

class PeerExchange implements Exchange {
  readonly #dependencies: ExchangeDependencies;
  readonly #options: ExchangeOptions;
  readonly #limits: ExchangeLimits;
  /** The rules that the manifest fixes. */
  readonly #rules: ReturnType<typeof judgeRules> & Cryptography;
  readonly #features: readonly string[];
  readonly #topic: GossipTopic;
  readonly #background: Background;
  readonly #neighbours: NeighbourTable;
  readonly #position: RoundPosition;
  readonly #own: OwnUpdates;
  readonly #inbox: Inbox;
  readonly #heads: KnownHeads;
  readonly #notices: UpdateNotices;
  readonly #addresses: Listeners<readonly [readonly string[], PeerId]>;
  readonly #intake: Intake;
  readonly #handshake: Handshake;
  readonly #headExchange: HeadExchange;
  readonly #sketches: SketchExchange | undefined;
  /** In the order of their start. */
  readonly #conversations: readonly Conversation[];
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(dependencies: ExchangeDependencies, options: ExchangeOptions) {
    const { transport, store, clock, logger, signer, verify, createSha256 } = dependencies;
    const { manifest } = options;
    if (signer.peer !== transport.peer) throw new TypeError(`${signer.peer} cannot sign for ${transport.peer}`);
    this.#dependencies = dependencies;
    this.#options = options;
    this.#features = options.features ?? FEATURES;
    const limits = { ...EXCHANGE_DEFAULTS, ...options };
    this.#limits = limits;
    const rules = { ...judgeRules(manifest), ...(verify && { verify }), ...(createSha256 && { createSha256 }) };
    this.#rules = rules;
    this.#topic = announcementTopic(rules.networkId);
    this.#background = createBackground({ logger });
    this.#position = new RoundPosition(manifest, signer.peer);
    this.#own = new OwnUpdates(
      {
        ...{ transport, store, signer, logger, background: this.#background },
        maySend: (kind) => this.#maySend(kind),
        exchangeHeads: () => this.announceAgain(),
      },
      { ...rules, topic: this.#topic },
    );
    this.#heads = createKnownHeads(limits);
    const kept = { ...rules, authorsMax: limits.authorsMax, bytesMax: limits.inboxBytesMax };
    this.#inbox = new Inbox({ store, logger }, { ...kept, tellerOf: this.#heads.tellerOf });
    this.#addresses = new Listeners(logger);
    const { membership } = options;
    const isMember = this.#isMember;
    this.#neighbours = new NeighbourTable(
      { transport, clock, logger, background: this.#background, ...(membership && { membership }) },
      { ...limits, features: this.#features, isMember },
    );
    const held = { transport, clock, logger, background: this.#background, neighbours: this.#neighbours };
    this.#notices = new UpdateNotices(held);
    const told = { ...held, notices: this.#notices, isGiven: options.isGiven ?? (() => false) };
    const places = membership === undefined && { places: createOpenPlaces(told, limits) };
    const { onRefused } = options;
    const known = { ...(membership && { membership }), ...(onRefused && { onRefused }) };
    const greeting = { manifest, features: this.#features, isMember, ...known };
    const often = { timeoutMs: limits.handshakeTimeoutMs, peersMax: limits.authorsMax };
    this.#handshake = new Handshake({ ...held, ...places }, { ...limits, ...greeting, ...often });
    const blobs = new BlobTransfer(
      { ...held, find: (contentId) => this.#find(contentId), ...(createSha256 && { createSha256 }) },
      { ...limits, timeoutMs: limits.blobTimeoutMs },
    );
    this.#intake = this.#createIntake(held, blobs);
    this.#headExchange = new HeadExchange(
      {
        ...held,
        heads: () => this.#headsToTell(),
        onHeads: async (announcements, from) => {
          await this.#intake.takeHeads(announcements, from);
          this.#own.identity.heardHeads();
        },
      },
      { timeoutMs: limits.headsTimeoutMs, rates: limits.headsRates, peersMax: limits.authorsMax },
    );
    this.#sketches = this.#createSketches(held);
    this.#conversations = [
      this.#handshake,
      this.#headExchange,
      ...(this.#sketches === undefined ? [] : [this.#sketches]),
      this.#createAddressExchange(held),
      new Checkups(held, { timeoutMs: limits.checkupTimeoutMs, intervalMs: limits.checkupIntervalMs }),
      blobs,
    ];
  }

  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  publish(own: OwnUpdate): Promise<PublishedUpdate | undefined> {
    return this.#own.publish(own);
  }

  onEarlierLife(mayFollow: (earlier: EarlierLife) => void): void {
    this.#own.onEarlierLife(mayFollow);
  }

  announceAgain(): Promise<void> {
    return this.#headExchange.exchangeAll();
  }

  setRound(round: number, { catchingUp }: { readonly catchingUp: boolean } = { catchingUp: false }): void {
    if (this.#position.move(round, catchingUp)) this.#intake.roundChanged();
  }

  latest(): readonly ReceivedUpdate[] {
    return this.#inbox
      .all()
      .filter(({ update }) => this.#isKept(update.author))
      .map(({ update, theta }) => ({
        peer: update.author,
        round: update.round,
        theta,
        sampleCount: update.sampleCount,
        ...(update.neighbours !== undefined && { neighbours: update.neighbours }),
      }));
  }

  get sketches(): Sketches | undefined {
    return this.#sketches;
  }

  isAuthor(peer: PeerId): boolean {
    return maySend(this.#neighbours.roleOf(peer), "update");
  }

  publishedRound(): number | undefined {
    return this.#own.round();
  }

  hasPublished(round: number): boolean {
    return (this.#own.chain.last()?.round ?? -1) >= round;
  }

  admitted(): readonly PeerId[] {
    return this.#neighbours.all();
  }

  welcoming(): readonly PeerId[] {
    return this.#handshake.welcoming();
  }

  shares(peer: PeerId, feature: Feature): boolean {
    return this.#neighbours.shares(peer, feature);
  }

  refuses(peer: PeerId): boolean {
    return this.#neighbours.refuses(peer);
  }

  hasRoomFor(peer: PeerId, origin: string | undefined): boolean {
    return this.#handshake.hasRoomFor(peer, origin);
  }

  standingOf(peer: PeerId): Standing {
    return this.#handshake.standingOf(peer);
  }

  bytes(): { readonly sent: number; readonly received: number } {
    return this.#dependencies.transport.bytes();
  }

  counts(): NoticeCounts {
    return this.#notices.counts();
  }

  onUpdate(listener: (notice: UpdateNotice) => void): void {
    this.#notices.onNotice(listener);
  }

  onAddresses(listener: (addresses: readonly string[], from: PeerId) => void): void {
    this.#addresses.add((told) => listener(...told));
  }

  onAdmitted(listener: (peer: PeerId) => void): void {
    this.#neighbours.onAdmitted(listener);
  }

  onLeft(listener: (peer: PeerId) => void): void {
    this.#neighbours.onLeft(listener);
  }

  async #start(): Promise<void> {
    const { transport } = this.#dependencies;
    await this.#own.load();
    await this.#inbox.load();
    for (const { announcement, update } of this.#inbox.all()) this.#heads.accept(update, announcement);
    await this.#sketches?.load();
    for (const conversation of this.#conversations) if (this.#isSpoken(conversation)) await conversation.start();
    transport.subscribe(this.#topic, {
      validate: (bytes, from) => this.#intake.judgeGossip(bytes, from),
      deliver: (announced, from) => this.#intake.takeGossip(announced, from),
    });
    this.#options.membership?.onChange(() => this.#review());
    await transport.start();
  }

  async #stop(): Promise<void> {
    await this.#background.stop();
    for (const conversation of this.#conversations.toReversed()) await conversation.stop();
    await this.#dependencies.transport.stop();
  }

  /** What this peer does not have is neither asked nor answered; the core is what it cannot lack. */
  #isSpoken({ protocol: { feature } }: Conversation): boolean {
    return feature.name === "core" || this.#features.includes(feature.name);
  }

  #createIntake(held: ConversationDependencies, blobs: BlobTransfer): Intake {
    return new Intake(
      {
        ...{ ...held, blobs, inbox: this.#inbox, heads: this.#heads, ownChain: this.#own.chain },
        identity: this.#own.identity,
        notices: this.#notices,
        ...(this.#dependencies.loop && { loop: this.#dependencies.loop }),
        onEquivocation: (first, second) => this.#options.membership?.reportEquivocation(first, second),
      },
      { ...this.#limits, rules: () => this.#rulesNow(), sample: () => this.#position.sample },
    );
  }

  /** undefined where the network does not weigh by data sets. */
  #createSketches(held: ConversationDependencies): SketchExchange | undefined {
    const { weights } = this.#options.manifest.aggregation;
    if (weights?.kind !== "similarity" || weights.data === undefined) return undefined;
    const { store, signer, verify } = this.#dependencies;
    const { sketchFetchesMax: fetchesMax, sketchTimeoutMs: timeoutMs } = this.#limits;
    const judge = () => ({ ...this.#judgement(), ...(verify && { verify }) });
    const sketches = new SketchExchange(
      {
        ...{ ...held, store, signer, isKept: (author) => this.#isKept(author) },
        mayTellOwn: () => this.#own.mayTellOfData(),
        onCleared: (listener) => this.#own.identity.onCleared(listener),
      },
      { ...this.#limits, ...{ networkId: this.#rules.networkId, judge, fetchesMax, timeoutMs } },
    );
    this.#notices.onNotice(({ verdict, from }) => {
      if (verdict === "accept") sketches.want(from);
    });
    return sketches;
  }

  #createAddressExchange(held: ConversationDependencies): AddressExchange {
    const limits = this.#limits;
    const onAddresses = (heard: readonly string[], from: PeerId): void => {
      this.#own.identity.noteAddresses(heard);
      this.#addresses.tell([heard, from]);
    };
    this.#dependencies.transport.onDiscovered((found) => this.#own.identity.noteAddresses(found));
    return new AddressExchange(
      { ...held, onAddresses },
      {
        timeoutMs: limits.addressesTimeoutMs,
        intervalMs: limits.addressesIntervalMs,
        perWindowMax: limits.addressesPerWindowMax,
        windowMs: limits.addressesWindowMs,
      },
    );
  }

  readonly #isMember = (peer: PeerId): boolean => {
    const { isMember, membership } = this.#options;
    if (isMember !== undefined) return isMember(peer);
    return membership === undefined || membership.roleOf(peer) !== undefined;
  };

  /** Whether this peer's role lets it send such a message. */
  #maySend(kind: Parameters<typeof maySend>[1]): boolean {
    return maySend(this.#neighbours.roleOf(this.#neighbours.self), kind);
  }

  /** Whether the roster lets an author's messages be used and handed on. */
  #isKept(author: PeerId): boolean {
    return this.#options.membership?.keepsUpdatesOf(author) !== false;
  }

  /** Conditions on an author. */
  #judgement(): Pick<Rules, "isMember" | "maySend"> {
    return { isMember: this.#isMember, maySend: (peer, kind) => maySend(this.#neighbours.roleOf(peer), kind) };
  }

  #rulesNow(): Rules {
    const { round, isCatchingUp } = this.#position;
    const roundsAheadMax = isCatchingUp ? this.#rules.roundCount : this.#rules.roundsAheadMax;
    return { ...this.#rules, ...this.#judgement(), roundsAheadMax, self: this.#neighbours.self, round };
  }

  #headsToTell(): readonly Uint8Array[] {
    const own = this.#own.announcementToTell();
    return [...(own === undefined ? [] : [own]), ...this.#heads.all()].slice(0, LIMITS.headsCountMax);
  }

  #find(contentId: ContentId): Uint8Array | undefined {
    const own = this.#own.find(contentId);
    if (own !== undefined) return own;
    const author = this.#inbox.authorOf(contentId);
    return author === undefined || !this.#isKept(author) ? undefined : this.#inbox.find(contentId);
  }

  /** Memberships have changed. */
  #review(): void {
    this.#handshake.review();
    for (const { update } of this.#inbox.all()) {
      if (this.#isKept(update.author)) continue;
      this.#heads.forget(update.author);
      void this.#background.run("dropping an update", () => this.#inbox.drop(update.author));
    }
  }
}
