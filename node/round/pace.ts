/**
 * The deadline of a round, which follows the observed lags of the others.
 * Source: the robust rule median + k · MAD; k = 3 and the factor 1.4826, which makes the median absolute deviation
 * estimate a standard deviation under normal noise, are the usual choice (Leys et al. 2013, outlier detection by MAD).
 */

/** Recent lags of others behind this peer's own publishing, in milliseconds; the newest last. */
export type Pace = readonly number[];

/** Lags remembered: several rounds of a dozen neighbours, so that a change of pace shows within a few rounds. */
export const PACE_LAGS_MAX = 64;

/** Below so many lags nothing is known of the pace and the longest deadline holds: who never waits never learns. */
export const PACE_LAGS_MIN = 3;

const DEVIATIONS = 3;
const MAD_TO_STANDARD_DEVIATION = 1.4826;

/** The manifest's bounds on a deadline, in milliseconds. */
export interface DeadlineBounds {
  readonly min: number;
  readonly max: number;
}

/**
 * Remember one lag. An update that was there before this peer published has lag 0; one that came after its deadline
 * counts too, up to `max`, or a deadline that is too short would never be seen to be.
 */
export function observeLag(pace: Pace, lagMs: number, { max }: DeadlineBounds): Pace {
  return [...pace, Math.min(max, Math.max(0, lagMs))].slice(-PACE_LAGS_MAX);
}

/** median + 3 · 1.4826 · MAD of the lags, within the bounds; `max` while too little is known.  Units: milliseconds. */
export function deadlineOf(pace: Pace, { min, max }: DeadlineBounds): number {
  if (pace.length < PACE_LAGS_MIN) return max;
  const centre = median(pace);
  const deviation = median(pace.map((lag) => Math.abs(lag - centre)));
  return Math.min(max, Math.max(min, centre + DEVIATIONS * MAD_TO_STANDARD_DEVIATION * deviation));
}

/** The middle value, or the mean of the two middle ones.  Throws: RangeError without values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("the median of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
