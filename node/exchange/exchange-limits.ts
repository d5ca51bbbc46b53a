/** The resources that one peer spends on its neighbours. */
import { LIMITS } from "../../protocol/limits.ts";

/** Bounds of one peer's own resources; protocol/limits bounds the wire. */
export interface ExchangeLimits {
  /** Neighbours past their handshake. */
  readonly neighboursMax: number;
  /** Authors in the inbox, and among the known heads. */
  readonly authorsMax: number;
  /**
   * Announcements of one author that are remembered, in order to notice two with one sequence: 32 are more than two peers'
   * news are apart, and 256 bytes each of `authorsMax` authors are 8 MiB.
   */
  readonly announcementsPerAuthorMax: number;
  /** Memory of the inbox: neighbours' updates, as sent and as aggregated. */
  readonly inboxBytesMax: number;
  /** Updates that are fetched at the same time. */
  readonly fetchesMax: number;
  /** Neighbours that are asked for one update. */
  readonly providersMax: number;
  /** Requests of one neighbour that are served at the same time. */
  readonly requestsPerPeerMax: number;
  readonly handshakeTimeoutMs: number;
  readonly headsTimeoutMs: number;
  /** One update over a slow line: 64 MiB at 1 MiB/s. */
  readonly blobTimeoutMs: number;
  /** Authors whose sketches are asked for at the same time. */
  readonly sketchFetchesMax: number;
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

/** For 64 neighbours and the largest adapter that there can be. */
export const EXCHANGE_DEFAULTS: ExchangeLimits = {
  neighboursMax: 64,
  authorsMax: LIMITS.headsCountMax,
  announcementsPerAuthorMax: 32,
  // 21 authors of the largest adapter there can be, 40 of LoRA of rank 8 on all of an 8-billion-parameter Llama as int8.
  inboxBytesMax: 4 * 1024 ** 3,
  fetchesMax: 4,
  providersMax: 4,
  requestsPerPeerMax: 4,
  handshakeTimeoutMs: 10_000,
  headsTimeoutMs: 10_000,
  blobTimeoutMs: 64_000,
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
