/** What the round driver needs of the exchange between peers; transport, signatures and verdicts lie behind it. */
import type { UpdateCounts } from "./peer-event.ts";

/** The newest accepted update of another peer. */
export interface ReceivedUpdate {
  readonly peer: string;
  readonly round: number;
  /** f32[P]. */
  readonly theta: Float32Array;
  readonly sampleCount: number;
  /** Neighbours that its author counts; absent where it says nothing. */
  readonly neighbours?: number | undefined;
}

/** Code of an announcement that was accepted, whose update is left where it is: its author is not in the round's sample. */
export const NOT_SAMPLED = "NOT_SAMPLED";

/** What was said of an update that arrived. */
export interface UpdateNotice {
  /** The author; where nobody's signature vouches for one, the neighbour that sent the message. */
  readonly from: string;
  /** undefined when the message did not decode. */
  readonly round: number | undefined;
  readonly verdict: "accept" | "ignore" | "reject";
  readonly code: string;
}

/** This peer's own update as it was signed. */
export interface PublishedUpdate {
  /** Of the envelope: what every neighbour that fetches it is sent. */
  readonly bytes: number;
  /** A number of protocol's ENCODINGS. */
  readonly encoding: number;
}

/** Listeners stay for the exchange's life. */
export interface UpdateExchange {
  /**
   * Sign an adapter as this peer's update of a round, keep it durably and announce it. A round that was published
   * before, also before a restart, is announced again as it was.  Resolves with what was announced; undefined when an
   * earlier life of this identity published the round and its store is lost.
   * Throws: NodeError DISK_FULL; nothing was published then.
   */
  publish(update: {
    readonly round: number;
    readonly theta: Float32Array;
    readonly localSteps: number;
    readonly sampleCount: number;
    /** Neighbours that this peer counts, where the network weighs by them. */
    readonly neighbours?: number | undefined;
  }): Promise<PublishedUpdate | undefined>;
  /** Ask all neighbours for what they know and tell them the same, in case an announcement was lost. */
  announceAgain(): Promise<void>;
  /** Whether this peer's update of a round, or of a later one, is out already. */
  hasPublished(round: number): boolean;
  /** Whether a peer's role lets it send updates, so that there is something to wait for. */
  isAuthor(peer: string): boolean;
  /** The newest accepted update of every other peer; never this peer's own, never two of one peer. */
  latest(): readonly ReceivedUpdate[];
  /** The round this peer is in, by which arriving updates are judged; catching up, those of any later round count. */
  setRound(round: number, options?: { readonly catchingUp: boolean }): void;
  /** Peers that are connected and admitted. */
  admitted(): readonly string[];
  /** Updates by verdict since this exchange was made. */
  counts(): UpdateCounts;
  /** Bytes on the wire since this exchange was made. */
  bytes(): { readonly sent: number; readonly received: number };
  /** Called for every update that arrives; an accepted one is in `latest` by then. */
  onUpdate(listener: (notice: UpdateNotice) => void): void;
  onAdmitted(listener: (peer: string) => void): void;
  /** The last connection of an admitted peer closed. */
  onLeft(listener: (peer: string) => void): void;
}
