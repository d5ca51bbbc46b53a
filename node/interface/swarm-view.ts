/** A swarm on one machine as its page shows it: what each peer says of itself, and since when a peer says nothing. */
import type { LossFigure, NeighbourMix, PeerReport, RoundSummary, UpdateCounts } from "./peer-event.ts";

/** One connection of a peer. */
export interface SwarmLink {
  /** Peer id of the other end. */
  readonly peer: string;
  /** Whether the other end has passed the handshake. */
  readonly isNeighbour: boolean;
  readonly isRelayed: boolean;
  readonly roundTripMs: number | null;
}

/** What a peer said last. */
export interface SwarmPeerWords {
  /** Peer id. */
  readonly id: string;
  /** A word of PeerState, or paused by somebody's order. */
  readonly state: string;
  readonly pausedBecause?: string | undefined;
  readonly roundsDone: number;
  readonly step: number;
  readonly steps: number;
  /** Of the newest local step; null where it is no number. */
  readonly loss?: number | null | undefined;
  readonly updates: UpdateCounts;
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly links: readonly SwarmLink[];
  /** Whose adapters entered its newest round; null before the first. */
  readonly mix: { readonly round: number; readonly neighbours: readonly NeighbourMix[] } | null;
  /** Of the base model on its validation set. */
  readonly base: LossFigure | null;
  /** Once all its rounds are done. */
  readonly report: Pick<PeerReport, "base" | "alone" | "aloneRounds" | "swarm"> | null;
}

/** One peer of a swarm. */
export interface SwarmPeerView {
  /** Counted from 1. */
  readonly number: number;
  /** Whether it answers. */
  readonly isThere: boolean;
  /** Since when that is so, as far as somebody has looked: ISO 8601. */
  readonly since: string;
  /** Absent until it has answered for the first time. */
  readonly said?: SwarmPeerWords;
}

/** All peers. */
export interface SwarmView {
  readonly schema: "weft-swarm-view/1";
  /** The network's name, as soon as a peer has told it. */
  readonly name: string;
  /** Rounds of the network; 0 until a peer has told them. */
  readonly rounds: number;
  readonly peers: readonly SwarmPeerView[];
}

/** What the page draws of a round. */
export type SwarmRound = Pick<
  RoundSummary,
  "round" | "trainLoss" | "validationLoss" | "validationInterval" | "lambda" | "neighbours" | "bytes" | "updateBytes"
>;

/** Rounds of each peer, in the order of the peers, from the one on that was asked for. */
export interface SwarmRounds {
  readonly peers: readonly (readonly SwarmRound[])[];
}
