/** What the round driver needs of the exchange between peers; transport, signatures and verdicts lie behind it. */
import type { UpdateCounts } from "./peer-event.ts";

/** The newest accepted update of another peer. */
export interface ReceivedUpdate {
  readonly peer: string;
  readonly round: number;
  /** f32[P]. */
  readonly theta: Float32Array;
  readonly sampleCount: number;
}

/** What was said of an update that arrived. */
export interface UpdateNotice {
  readonly peer: string;
  readonly round: number;
  readonly verdict: "accept" | "ignore" | "reject";
  readonly code?: string;
}

export interface UpdateExchange {
  /**
   * Sign an adapter as this peer's update of a round, keep it durably and announce it. A round that was published
   * before, also before a restart, is announced again as it was.
   * Throws: NodeError DISK_FULL; nothing was published then.
   */
  publish(update: {
    readonly round: number;
    readonly theta: Float32Array;
    readonly localSteps: number;
    readonly sampleCount: number;
  }): Promise<void>;
  /** The newest accepted update of every other peer; never this peer's own, never two of one peer. */
  latest(): Promise<readonly ReceivedUpdate[]>;
  /** The round this peer is in, by which arriving updates are judged. */
  setRound(round: number): void;
  /** Peers that are connected and admitted. */
  peers(): readonly string[];
  /** Updates by verdict since this exchange was made. */
  counts(): UpdateCounts;
  /** Bytes on the wire since this exchange was made. */
  bytes(): { readonly sent: number; readonly received: number };
  /** Called for every update that arrives, after it was stored; the returned function ends it. */
  onUpdate(listener: (notice: UpdateNotice) => void): () => void;
  /** Called when an admitted peer comes (true) or its last connection goes (false); the returned function ends it. */
  onPeer(listener: (peer: string, isConnected: boolean) => void): () => void;
}
