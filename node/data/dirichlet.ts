/** Random proportions that add up to 1, as skewed as wanted. For a peer's own use: the logarithm may differ by machine. */
import type { Prng } from "../../protocol/prng.ts";

/**
 * p ~ Dirichlet(alpha, …, alpha) over `count` parts: p_i = g_i / Σ g_j with g_i ~ Gamma(alpha, 1). Small alpha gives one
 * part nearly everything, large alpha gives all the same. Computed from logarithms, so that no alpha underflows.
 * Throws: RangeError when alpha is not a positive number or count is not 1 or more.
 */
export function dirichlet(prng: Prng, { alpha, count }: { readonly alpha: number; readonly count: number }): number[] {
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`${count} is not a count of 1 or more`);
  const logs = Array.from({ length: count }, () => logGamma(prng, alpha));
  const largest = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * ln g with g ~ Gamma(alpha, 1). Below 1: g = g' · U^(1/alpha) with g' ~ Gamma(alpha + 1, 1).
 * Source: Marsaglia and Tsang 2000, "A simple method for generating gamma variables", ACM TOMS 26(3).
 */
export function logGamma(prng: Prng, alpha: number): number {
  if (!(alpha > 0 && Number.isFinite(alpha))) throw new RangeError(`alpha ${alpha} is not a positive number`);
  if (alpha < 1) return logGamma(prng, alpha + 1) + Math.log(positiveUniform(prng)) / alpha;
  const d = alpha - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = gaussian(prng);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(positiveUniform(prng)) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

/** Standard normal by the polar method (Marsaglia and Bray 1964). */
function gaussian(prng: Prng): number {
  for (;;) {
    const x = 2 * prng.uniform() - 1;
    const y = 2 * prng.uniform() - 1;
    const r = x * x + y * y;
    if (r > 0 && r < 1) return x * Math.sqrt((-2 * Math.log(r)) / r);
  }
}

function positiveUniform(prng: Prng): number {
  return 1 - prng.uniform();
}
