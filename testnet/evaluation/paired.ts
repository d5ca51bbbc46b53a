/** What a method gains over training alone, peer by peer and seed by seed, and how sure that is. */

/** The mean of differences, and the 95 % interval of it where there are enough of them. */
export interface PairedGain {
  readonly mean: number;
  /** Half of the interval's width; absent below three seeds, from which no interval can be told. */
  readonly half?: number;
}

/** The fewest seeds from which a spread is printed. */
export const SEEDS_MIN = 3;

/** Quantiles 0.975 of Student's t for 2 to 15 degrees of freedom; scipy.stats.t.ppf. */
const T_QUANTILES = [
  4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139, 2.200985, 2.178813,
  2.160369, 2.144787, 2.13145,
] as const;

/**
 * mean ± t sd / sqrt(n), of differences that belong together in pairs, over so many seeds; of many, t is taken as for 15 degrees of
 * freedom.
 */
export function pairedGain(differences: readonly number[], seeds = differences.length): PairedGain {
  const n = differences.length;
  const mean = differences.reduce((sum, one) => sum + one, 0) / n;
  if (seeds < SEEDS_MIN) return { mean };
  const variance = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (n - 1);
  const quantile = T_QUANTILES[Math.min(n - SEEDS_MIN, T_QUANTILES.length - 1)]!;
  return { mean, half: quantile * Math.sqrt(variance / n) };
}
