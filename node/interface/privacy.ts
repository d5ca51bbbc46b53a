/** Differential privacy of what a peer sends: its own settings, agreed with nobody. */

/** What is protected: the whole of a peer's data, by noise on each update; or every single example, by noise on steps. */
export const PRIVACY_MODES = ["update", "example"] as const;
/** One of these modes. */
export type PrivacyMode = (typeof PRIVACY_MODES)[number];

/** A peer's privacy budget and the mechanism that spends it. */
export interface PrivacySettings {
  readonly mode: PrivacyMode;
  /** Largest Euclidean norm: of one round's change of the adapter, or of one example's gradient. */
  readonly clip: number;
  /** Standard deviation of the noise on every value, as a multiple of `clip`. */
  readonly noise: number;
  /** Nothing more is sent once it would cost more than this. */
  readonly epsilon: number;
  /** Probability with which epsilon may be exceeded. */
  readonly delta: number;
  /**
   * Of a key that was restored alone: how many local steps (example) or updates (update) it took with these settings before
   * this data directory began. They count as spent.
   */
  readonly earlier?: number;
}

/** What is spent so far, for people. */
export interface PrivacyStatus {
  readonly mode: PrivacyMode;
  /** Of everything that was sent. */
  readonly spent: number;
  readonly epsilon: number;
  readonly delta: number;
  /** false: the budget is spent, this peer only receives. */
  readonly sending: boolean;
}
