/**
 * The exchange of updates with neighbours, put together: handshake, gossip of announcements, exchange of heads and of
 * addresses, fetching and serving of bytes, the own chain and the inbox. It knows nothing of training; the round driver tells it the round.
 */
import type { ContentId } from "../../protocol/content-id.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { FEATURES, type Feature } from "../../protocol/features.ts";
import { type Cryptography, judgeRules } from "../../protocol/judge-context.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { mayFetch, mayForward, maySend } from "../../protocol/membership/roles.ts";
import { type NeighbourSample, neighbourSample } from "../../protocol/neighbour-sample.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import { announcementTopic } from "../../protocol/topic.ts";
import type { Clock } from "../interface/clock.ts";
import type { UpdateExchange, UpdateNotice } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { Membership } from "../interface/membership.ts";
import type { UpdateCounts } from "../interface/peer-event.ts";
import type { Sketches } from "../interface/sketches.ts";
import type { Store } from "../interface/store.ts";
import type { PeerIdText, Transport } from "../interface/transport.ts";
import { createAddressExchange } from "./address-exchange.ts";
import { createBackground } from "./background.ts";
import { serveBlobs } from "./blob-transfer.ts";
import { serveCheckups } from "./checkup.ts";
import { EXCHANGE_DEFAULTS, type ExchangeLimits } from "./exchange-limits.ts";
import { createHandshake } from "./handshake.ts";
import { createHeadExchange } from "./head-exchange.ts";
import { createInbox } from "./inbox.ts";
import { createIntake } from "./intake.ts";
import { createKnownHeads } from "./known-heads.ts";
import { createOwnChain } from "./own-chain.ts";
import { createPeerScoring } from "./peer-scoring.ts";
import { createSketchExchange } from "./sketch-exchange.ts";

export interface ExchangeDependencies extends Cryptography {
  /** Stopped; the exchange starts and stops it. */
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the same identity as the transport. */
  readonly signer: Signer;
}

export interface ExchangeOptions extends Partial<ExchangeLimits> {
  readonly manifest: NetworkManifest;
  /** Whether a peer belongs to the network; everybody when absent. */
  readonly isMember?: (peer: PeerId) => boolean;
  /** What this peer has, by name; all that this program has when absent. What is missing is neither asked nor answered. */
  readonly features?: readonly string[];
  /** Who belongs to the network and as what, instead of `isMember`. Every layer asks it for itself. */
  readonly membership?: Membership;
}

/** The exchange as the round driver sees it, and what the composition root needs besides. */
export interface Exchange extends UpdateExchange {
  /** Load the own chain and the inbox, then start the transport; idempotent.  Throws: NodeError STORE_FAILED, PORT_IN_USE, … */
  start(): Promise<void>;
  /** End everything under way and stop the transport; idempotent. */
  stop(): Promise<void>;
  /** Whether a peer is refused for a while; for the transport's gate. */
  refuses(peer: PeerIdText): boolean;
  /** Admitted peers that have welcomed this one. */
  welcoming(): readonly string[];
  /** Whether this peer and an admitted one both have a feature. */
  shares(peer: PeerIdText, feature: Feature): boolean;
  /** Called with what a neighbour says of where other peers can be dialled; hearsay, for the dialer to try. */
  onAddresses(listener: (addresses: readonly string[]) => void): void;
  /** Of data sets; only where the network weighs by them. */
  readonly sketches: Sketches | undefined;
  /** The last round that this peer published; undefined before the first. */
  publishedRound(): number | undefined;
  counts(): UpdateCounts & {
    /** How often each verdict code was given. */
    readonly codes: Readonly<Record<string, number>>;
  };
}

export function createExchange(dependencies: ExchangeDependencies, options: ExchangeOptions): Exchange {
  const { transport, store, clock, logger, signer, verify, createSha256 } = dependencies;
  const { manifest, membership, features = FEATURES } = options;
  const { isMember = membership === undefined ? () => true : (peer) => membership.roleOf(peer) !== undefined } =
    options;
  /** The role of a neighbour; everybody is a trainer where there is no roster. */
  const roleOf = (peer: PeerIdText) => (membership === undefined ? "trainer" : membership.roleOf(parsePeerId(peer)));
  const limits: ExchangeLimits = { ...EXCHANGE_DEFAULTS, ...options };
  if (signer.peer !== transport.peer) throw new TypeError(`${signer.peer} cannot sign for ${transport.peer}`);

  const rules = { ...judgeRules(manifest), ...(verify && { verify }), ...(createSha256 && { createSha256 }) };
  const topic = announcementTopic(rules.networkId);
  let round = 0;
  let catchingUp = true;
  const sampleOf = (of: number): NeighbourSample | undefined =>
    manifest.aggregation.sample === undefined
      ? undefined
      : neighbourSample({ seed: manifest.seed, round: of, self: signer.peer, count: manifest.aggregation.sample });
  let sample = sampleOf(round);
  const background = createBackground({ logger });
  const scoring = createPeerScoring(
    { clock },
    {
      rejectsMax: limits.rejectsMax,
      windowMs: limits.rejectsWindowMs,
      refusalMs: limits.refusalMs,
      peersMax: limits.authorsMax,
    },
  );
  const ownChain = createOwnChain({ store, signer }, rules);
  const inbox = createInbox(
    { store, logger },
    { ...rules, authorsMax: limits.authorsMax, bytesMax: limits.inboxBytesMax },
  );
  const heads = createKnownHeads(limits);
  const counts = { accept: 0, ignore: 0, reject: 0 };
  const codes: Record<string, number> = {};
  const updates = listeners<UpdateNotice>(logger);
  const admissions = listeners<PeerIdText>(logger);
  const addresses = listeners<readonly string[]>(logger);
  const departures = listeners<PeerIdText>(logger);

  const blame = (peer: PeerIdText): void => {
    if (peer === transport.peer || scoring.refuses(peer) || !scoring.blame(peer)) return;
    logger.warn("peer refused for a while: too many of its messages were rejected", { peer });
    void background.run("hanging up", () => transport.hangUp(peer));
  };
  const handshake = createHandshake(
    { transport, clock, logger, background },
    {
      manifest,
      features,
      isMember,
      ...(membership && { membership }),
      refuses: (peer) => scoring.refuses(peer),
      neighboursMax: limits.neighboursMax,
      timeoutMs: limits.handshakeTimeoutMs,
      onAdmitted: (peer) => {
        admissions.tell(peer);
        void exchangeHeads(peer);
        addressExchange.welcome(peer);
        if (maySend(roleOf(peer), "sketch")) wantSketch(peer);
      },
      onLeft: (peer) => departures.tell(peer),
    },
  );
  const intake = createIntake(
    {
      transport,
      clock,
      logger,
      background,
      inbox,
      heads,
      ownChain,
      admitted: () => handshake.admitted(),
      isAdmitted: (peer) => handshake.isAdmitted(peer),
      refuses: (peer) => scoring.refuses(peer),
      blame,
      mayForward: (peer) => mayForward(roleOf(peer)),
      mayFetch: () => mayFetch(roleOf(signer.peer)),
      onEquivocation: (first, second) => membership?.reportEquivocation(first, second),
      onUpdate: (event) => {
        counts[event.verdict]++;
        codes[event.code] = (codes[event.code] ?? 0) + 1;
        if (event.verdict === "accept") wantSketch(event.from);
        updates.tell(event);
      },
    },
    {
      rules: () => ({
        ...rules,
        ...(catchingUp ? { roundsAheadMax: rules.roundCount } : {}),
        self: signer.peer,
        isMember,
        maySend: (peer, kind) => maySend(roleOf(peer), kind),
        round,
      }),
      fetchesMax: limits.fetchesMax,
      providersMax: limits.providersMax,
      authorsMax: limits.authorsMax,
      fetchTimeoutMs: limits.blobTimeoutMs,
      sample: () => sample,
    },
  );
  const headExchange = createHeadExchange(
    {
      transport,
      clock,
      isAdmitted: (peer) => handshake.isAdmitted(peer),
      heads: () => {
        const own = ownChain.head();
        const isTold = own !== undefined && maySend(roleOf(signer.peer), "announcement");
        return [...(isTold ? [own.announcement] : []), ...heads.all()].slice(0, LIMITS.headsCountMax);
      },
      onHeads: (announcements, from) => intake.takeHeads(announcements, from),
      onFault: blame,
    },
    { timeoutMs: limits.headsTimeoutMs },
  );
  const addressExchange = createAddressExchange(
    {
      transport,
      clock,
      background,
      admitted: () => handshake.admitted(),
      isAdmitted: (peer) => handshake.isAdmitted(peer),
      takes: (peer) => handshake.shares(peer, "addresses"),
      onAddresses: (heard) => addresses.tell(heard),
      onFault: blame,
    },
    {
      timeoutMs: limits.addressesTimeoutMs,
      intervalMs: limits.addressesIntervalMs,
      perWindowMax: limits.addressesPerWindowMax,
      windowMs: limits.addressesWindowMs,
    },
  );
  /** Whether the roster lets what an author sent be used and handed on. */
  const isKept = (author: PeerId): boolean => membership?.keepsUpdatesOf(author) !== false;
  const { weights } = manifest.aggregation;
  const sketches =
    weights?.kind !== "similarity" || weights.data === undefined
      ? undefined
      : createSketchExchange(
          {
            transport,
            store,
            clock,
            logger,
            signer,
            background,
            admitted: () => handshake.admitted(),
            isAdmitted: (peer) => handshake.isAdmitted(peer),
            answers: (peer) => handshake.shares(peer, "sketch"),
            mayFetch: (peer) => mayFetch(roleOf(peer)),
            isAuthor: () => maySend(roleOf(signer.peer), "sketch"),
            isKept,
            onFault: blame,
          },
          {
            networkId: rules.networkId,
            judge: () => ({
              isMember,
              maySend: (peer, kind) => maySend(roleOf(peer), kind),
              ...(verify && { verify }),
            }),
            authorsMax: limits.authorsMax,
            fetchesMax: limits.sketchFetchesMax,
            providersMax: limits.providersMax,
            timeoutMs: limits.sketchTimeoutMs,
          },
        );
  const wantSketch = (author: PeerIdText): void => {
    if (mayFetch(roleOf(signer.peer))) sketches?.want(author);
  };
  /** Memberships have changed. */
  const review = (): void => {
    handshake.review();
    for (const { update } of inbox.all()) {
      if (isKept(update.author)) continue;
      heads.forget(update.author);
      void background.run("dropping an update", () => inbox.drop(update.author));
    }
  };
  const exchangeHeads = (peer: PeerIdText): Promise<void> =>
    background.run("exchange of heads", (signal) => headExchange.exchange(peer, signal));

  const start = async (): Promise<void> => {
    await ownChain.load();
    await inbox.load();
    for (const { announcement, update } of inbox.all()) heads.accept(update, announcement);
    await handshake.start();
    await headExchange.start();
    await sketches?.load();
    if (features.includes("sketch")) await sketches?.start();
    if (features.includes("addresses")) await addressExchange.start();
    if (features.includes("checkup")) {
      await serveCheckups(
        { transport, clock, isAdmitted: (peer) => handshake.isAdmitted(peer), onFault: blame },
        { timeoutMs: limits.checkupTimeoutMs, intervalMs: limits.checkupIntervalMs },
      );
    }
    const find = (contentId: ContentId): Uint8Array | undefined => {
      const own = ownChain.find(contentId);
      if (own !== undefined) return own;
      const author = inbox.authorOf(contentId);
      return author === undefined || !isKept(author) ? undefined : inbox.find(contentId);
    };
    await serveBlobs(
      {
        transport,
        clock,
        find,
        isAdmitted: (peer) => handshake.isAdmitted(peer),
        mayFetch: (peer) => mayFetch(roleOf(peer)),
      },
      { requestsPerPeerMax: limits.requestsPerPeerMax, timeoutMs: limits.blobTimeoutMs },
    );
    transport.subscribe(topic, {
      validate: (bytes, from) => intake.judgeGossip(bytes, from),
      deliver: (bytes, from) => intake.takeGossip(bytes, from),
    });
    membership?.onChange(review);
    await transport.start();
  };
  const stop = async (): Promise<void> => {
    await background.stop();
    addressExchange.stop();
    handshake.stop();
    await transport.stop();
  };
  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  return {
    start: () => (started ??= start()),
    stop: () => (stopped ??= stop()),
    async publish(own) {
      if (!maySend(roleOf(signer.peer), "update")) {
        logger.info("this peer's role sends no updates", { round: own.round });
        return undefined;
      }
      const stored = await ownChain.append(own);
      if (stored === undefined) {
        logger.info("this round was published before", { round: own.round });
        return undefined;
      }
      try {
        await transport.publish(topic, stored.announcement);
      } catch (error) {
        // It is in the store: every exchange of heads tells of it from now on.
        logger.warn("an announcement was not gossiped", { round: own.round, error });
      }
      return { bytes: stored.envelope.byteLength, encoding: stored.update.encoding };
    },
    async announceAgain() {
      await Promise.all(handshake.admitted().map(exchangeHeads));
    },
    setRound(next, { catchingUp: behind } = { catchingUp: false }) {
      const isAnother = next !== round;
      round = next;
      catchingUp = behind;
      if (!isAnother) return;
      sample = sampleOf(round);
      intake.roundChanged();
    },
    latest: () =>
      inbox
        .all()
        .filter(({ update }) => isKept(update.author))
        .map(({ update, theta }) => ({
          peer: update.author,
          round: update.round,
          theta,
          sampleCount: update.sampleCount,
          ...(update.neighbours !== undefined && { neighbours: update.neighbours }),
        })),
    sketches,
    isAuthor: (peer) => maySend(roleOf(peer), "update"),
    publishedRound: () => ownChain.head()?.update.round,
    hasPublished: (asked) => (ownChain.head()?.update.round ?? -1) >= asked,
    admitted: () => handshake.admitted(),
    welcoming: () => handshake.welcoming(),
    shares: (peer, feature) => handshake.shares(peer, feature),
    refuses: (peer) => scoring.refuses(peer),
    bytes: () => transport.bytes(),
    counts: () => ({ accepted: counts.accept, ignored: counts.ignore, rejected: counts.reject, codes: { ...codes } }),
    onUpdate: updates.add,
    onAddresses: addresses.add,
    onAdmitted: admissions.add,
    onLeft: departures.add,
  };
}

/** Listeners of one event; what one of them throws is logged and does not reach the network. */
function listeners<Event>(logger: Logger) {
  const all: ((event: Event) => void)[] = [];
  return {
    add: (listener: (event: Event) => void): void => {
      all.push(listener);
    },
    tell: (event: Event): void => {
      for (const listener of all) {
        try {
          listener(event);
        } catch (error) {
          logger.error("a listener failed", { error });
        }
      }
    },
  };
}
