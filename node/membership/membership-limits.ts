/** What one peer spends on the membership of others; what is on the wire is bounded by protocol/limits. */
export interface MembershipLimits {
  /** Shortest time between two visits of somebody who is no member. */
  readonly visitIntervalMs: number;
  /** The same for who waits for an answer to a valid request of admission. */
  readonly candidateIntervalMs: number;
  /** How long somebody who is no member may stay connected. */
  readonly visitMs: number;
  /** Within this time a visitor shows an invite, or a certificate that this peer has not heard of; or its visit is over. */
  readonly visitSilenceMs: number;
  /** Visitors at a time. Members are let in whatever their number. */
  readonly visitorsMax: number;
  /** Visitors at a time of one address: an IPv4 address, an IPv6 network of 64 bits, or a relay. */
  readonly visitorsPerOriginMax: number;
  /** Visitors that are remembered, the oldest forgotten first. */
  readonly visitsRememberedMax: number;
  /** Notes of one neighbour that are looked at: so many at once, and so many a second on average. */
  readonly messagesBurst: number;
  readonly messagesPerSecond: number;
  /** Requests for entries of one neighbour that are answered within `pullWindowMs`. */
  readonly pullsPerWindowMax: number;
  readonly pullWindowMs: number;
  /** Manifests that one neighbour is given within `pullWindowMs`, and stories of how the network has gone on. */
  readonly manifestsPerWindowMax: number;
  readonly storiesPerWindowMax: number;
  /** Entries of one answer that may wait for others: whoever sends parents first sends next to none. */
  readonly waitingEntriesMax: number;
  /** Entries that are taken before the event loop goes on: some 4 ms. */
  readonly entriesPerTurnMax: number;
  /** Requests of admission of one peer that are judged within `pullWindowMs`. */
  readonly requestsPerWindowMax: number;
  readonly pullTimeoutMs: number;
  /** Pause between two looks at what a neighbour holds that this peer may have missed. */
  readonly pullIntervalMs: number;
  /** New entries that are passed on by gossip one by one; of more, neighbours are asked to fetch them. */
  readonly gossipEntriesMax: number;
  /** How long somebody who was removed may take to fetch the entry that says so. */
  readonly farewellMs: number;
  readonly admissionTimeoutMs: number;
  /** How long a request of admission is kept waiting for an answer that may come at once. */
  readonly admissionWaitMs: number;
}

/** What a peer spends unless it is told otherwise. */
export const MEMBERSHIP_DEFAULTS: MembershipLimits = {
  visitIntervalMs: 60_000,
  candidateIntervalMs: 5_000,
  visitMs: 20_000,
  visitSilenceMs: 2_000,
  visitorsMax: 16,
  visitorsPerOriginMax: 4,
  visitsRememberedMax: 1024,
  messagesBurst: 256,
  messagesPerSecond: 32,
  pullsPerWindowMax: 8,
  pullWindowMs: 10_000,
  manifestsPerWindowMax: 72,
  storiesPerWindowMax: 4,
  waitingEntriesMax: 256,
  entriesPerTurnMax: 16,
  requestsPerWindowMax: 8,
  pullTimeoutMs: 30_000,
  pullIntervalMs: 300_000,
  gossipEntriesMax: 32,
  farewellMs: 2_000,
  admissionTimeoutMs: 20_000,
  admissionWaitMs: 4_000,
};
