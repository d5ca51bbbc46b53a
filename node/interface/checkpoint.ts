/** Where a peer keeps what it needs to go on after a kill: named vectors and one JSON value. */

export interface Checkpoint {
  readonly vectors: ReadonlyMap<string, Float32Array>;
  /** Any JSON value; who wrote it checks it when it comes back. */
  readonly state: unknown;
}

/** Keeps a peer's checkpoints, of which the newest whole one counts. */
export interface Checkpoints {
  /** The newest checkpoint that is whole; undefined when there is none.  Throws: CHECKPOINT_CORRUPT, DATA_DIRECTORY. */
  load(): Promise<Checkpoint | undefined>;
  /**
   * Durable when it resolves; the one before it is kept as well.
   * Throws: DISK_FULL, DATA_DIRECTORY; what was saved before is still there then.
   */
  save(checkpoint: Checkpoint): Promise<void>;
}
