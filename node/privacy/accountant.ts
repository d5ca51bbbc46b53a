/** What releases cost together: Renyi divergences add up order by order, and the best order gives epsilon. */
import { renyiOfRelease, type SampledGaussian } from "./subsampled-gaussian.ts";

/** So many releases of one mechanism. */
export interface Spending extends SampledGaussian {
  readonly count: number;
}

/**
 * Orders that are tried: fine where budgets of a few units have their best order, then up to those of tiny budgets.
 * More orders can only lower the epsilon that is found.
 */
export const ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => (11 + i) / 10),
  ...Array.from({ length: 53 }, (_, i) => 11 + i),
  ...[80, 96, 128, 192, 256, 384, 512, 768, 1024],
];

/**
 * The epsilon for which all releases together are (epsilon, delta)-differentially private; 0 of none.
 * epsilon = min over alpha of sum_i n_i rdp_i(alpha) + log((alpha-1)/alpha) - (log delta + log alpha)/(alpha-1).
 * Releases may be chosen adaptively, each in the light of all before it.
 * Source: composition: Mironov 2017, arXiv:1702.07476, proposition 1; conversion: Canonne, Kamath and Steinke 2020,
 * arXiv:2004.00010, proposition 12.  Throws: RangeError for a delta outside 0 and 1.
 */
export function epsilonOf(spendings: readonly Spending[], delta: number, orders: readonly number[] = ORDERS): number {
  if (!(delta > 0 && delta < 1)) throw new RangeError(`delta ${delta} is not between 0 and 1`);
  const releases = spendings.filter(({ count }) => count > 0);
  if (releases.length === 0) return 0;
  let least = Number.POSITIVE_INFINITY;
  for (const order of orders) {
    const divergence = releases.reduce((sum, spending) => sum + spending.count * renyiOfRelease(order, spending), 0);
    const epsilon = divergence + Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
    least = Math.min(least, epsilon);
  }
  return Math.max(0, least);
}
