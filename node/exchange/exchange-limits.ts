/** The resources that one peer spends on its neighbours. */
import { LIMITS } from "../../protocol/limits.ts";
import type { RateLimits } from "./rate-limiter.ts";

/** How often one peer may do something: so often at once, then so often within a period. */
export type Rate = Omit<RateLimits, "peersMax">;

/** Bounds of one peer's own resources; protocol/limits bounds the wire. */
export interface ExchangeLimits {
  /** Neighbours past their handshake. */
  readonly neighboursMax: number;
  /** As many more where they are admins of a roster, so that whoever fills the places keeps no removal away. */
  readonly moreAdminsMax: number;
  /** Authors in the inbox, and among the known heads. */
  readonly authorsMax: number;
  /**
   * Announcements of one author that are remembered, in order to notice two with one sequence: 32 are more than two peers'
   * news are apart, and 256 bytes each of `authorsMax` authors are 8 MiB.
   */
  readonly announcementsPerAuthorMax: number;
  /** Memory of the inbox: neighbours' updates, as sent and as aggregated. */
  readonly inboxBytesMax: number;
  /** Updates that are fetched at the same time; 16 of the largest there can be are a gibibyte. */
  readonly fetchesMax: number;
  /** Among them those whose authors have kept this peer waiting: half, so that the others always have the other half. */
  readonly lateFetchesMax: number;
  /** Requests for bytes to one provider at the same time: one under way, and one that it reads meanwhile. */
  readonly fetchesPerProviderMax: number;
  /** Neighbours that are asked for one update. */
  readonly providersMax: number;
  /** How long one of them is waited for before the next one is asked as well: far above a round trip round the world. */
  readonly nextProviderAfterMs: number;
  /** The same once it has begun, unless it is the author: longer than an update takes over a fair line. */
  readonly slowProviderAfterMs: number;
  /** How long a fetch waits where all that it could ask have enough to answer; it is announced again later. */
  readonly providerWaitMs: number;
  /** Requests of one neighbour that are served at the same time. */
  readonly requestsPerPeerMax: number;
  readonly handshakeTimeoutMs: number;
  readonly headsTimeoutMs: number;
  /** Heads that a neighbour may send unasked; it has a reason once a round and when it is admitted. */
  readonly headsRates: Rate;
  /**
   * Announcements of one neighbour whose signatures are verified: one message of the most authors at once, then so many
   * a second. 64 neighbours that use all of it take a third of one processor, at 0.15 ms each.
   */
  readonly signatureChecksBurst: number;
  readonly signatureChecksPerSecond: number;
  /** Announcements out of heads that are judged before the event loop goes on: some 3 ms. */
  readonly headsPerTurnMax: number;
  /** Hellos of who is admitted already: none is needed. */
  readonly hellosOfNeighbours: Rate;
  /** One update over a slow line: 64 MiB at 1 MiB/s. */
  readonly blobTimeoutMs: number;
  /** From the request for an update to the first byte of the answer: what a loaded machine needs, and nobody else. */
  readonly firstByteTimeoutMs: number;
  /** Within each `paceWindowMs` after it so many bytes come, or the transfer is given up: 16 KiB/s, a slow radio link. */
  readonly paceBytesMin: number;
  readonly paceWindowMs: number;
  /** Authors whose sketches are asked for at the same time. */
  readonly sketchFetchesMax: number;
  /** Of one request; seconds to the first byte, pace, providers and slots are those of updates. */
  readonly sketchTimeoutMs: number;
  readonly addressesTimeoutMs: number;
  /** Shortest time between two messages with addresses to one neighbour. */
  readonly addressesIntervalMs: number;
  /** Messages with addresses that are read of one neighbour within `addressesWindowMs`. */
  readonly addressesPerWindowMax: number;
  readonly addressesWindowMs: number;
  /** Of a whole checkup, the dials in it included. */
  readonly checkupTimeoutMs: number;
  /** Shortest time between two checkups of one neighbour that are answered. */
  readonly checkupIntervalMs: number;
  /** Rejects within `rejectsWindowMs` after which a peer is refused for `refusalMs`. */
  readonly rejectsMax: number;
  readonly rejectsWindowMs: number;
  readonly refusalMs: number;
}

/** Connections of one peer, whoever is at the other end. */
export const CONNECTION_LIMITS = {
  /** Beside those of admitted neighbours, those of visitors, and of strangers in their handshake. */
  connectionsMax: 128,
  /** Head exchanges, handshakes and transfers that one neighbour may have open at a time. */
  streamsPerProtocolMax: 16,
  /**
   * Connections from one address that have shown no identity yet: an eighth of all places, and as many peers as one household
   * or institute starts at once; whoever is turned away dials again.
   */
  pendingPerAddressMax: 16,
} as const;

/** For 64 neighbours and the largest adapter that there can be. */
export const EXCHANGE_DEFAULTS: ExchangeLimits = {
  neighboursMax: 64,
  moreAdminsMax: 8,
  authorsMax: LIMITS.headsCountMax,
  announcementsPerAuthorMax: 32,
  // 21 authors of the largest adapter there can be, 40 of LoRA of rank 8 on all of an 8-billion-parameter Llama as int8.
  inboxBytesMax: 4 * 1024 ** 3,
  fetchesMax: 16,
  lateFetchesMax: 8,
  fetchesPerProviderMax: 2,
  providersMax: 4,
  nextProviderAfterMs: 2_000,
  slowProviderAfterMs: 8_000,
  providerWaitMs: 8_000,
  requestsPerPeerMax: 4,
  handshakeTimeoutMs: 10_000,
  headsTimeoutMs: 10_000,
  headsRates: { burst: 64, perPeriod: 1, periodMs: 1_000 },
  signatureChecksBurst: LIMITS.headsCountMax,
  signatureChecksPerSecond: 32,
  headsPerTurnMax: 16,
  hellosOfNeighbours: { burst: 4, perPeriod: 1, periodMs: 10_000 },
  blobTimeoutMs: 64_000,
  firstByteTimeoutMs: 8_000,
  paceBytesMin: 64 * 1024,
  paceWindowMs: 4_000,
  sketchFetchesMax: 16,
  sketchTimeoutMs: 10_000,
  addressesTimeoutMs: 10_000,
  addressesIntervalMs: 4_000,
  addressesPerWindowMax: 4,
  addressesWindowMs: 10_000,
  checkupTimeoutMs: 20_000,
  checkupIntervalMs: 10_000,
  rejectsMax: 8,
  rejectsWindowMs: 60_000,
  refusalMs: 600_000,
};
