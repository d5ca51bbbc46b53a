/** Time as a peer sees it; the simulation brings its own. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Run `callback` once, `delayMs` from now; the returned function cancels it and may be called at any time. */
  after(delayMs: number, callback: () => void): () => void;
}
