/**
 * Ways to put adapters together that were tried and that no network can ask for: `npm run bench:tried` compares them. All are
 * functions of flat adapters, f32[P] each, that left one common start.
 */

/** The mean of adapters, weighted; all alike without weights.  Shapes: f32[P] each → f32[P]. */
export function meanOfAdapters(adapters: readonly Float32Array[], weights = adapters.map(() => 1)): Float32Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float32Array.from(adapters[0]!, (_, i) => {
    let sum = 0;
    for (const [j, adapter] of adapters.entries()) sum += weights[j]! * adapter[i]!;
    return sum / total;
  });
}

/** a + λ (b - a).  Shapes: f32[P] → f32[P]. */
export const towards = (a: Float32Array, b: Float32Array, lambda: number): Float32Array =>
  a.map((x, i) => x + lambda * (b[i]! - x));

/**
 * TIES-Merging: of every change from the start the largest share stays, each value takes the sign with the larger sum, and the mean is
 * over the changes that have that sign.  Shapes: f32[P] each → f32[P].  Source: arXiv:2306.01708, with λ = 1 and a share of 0.2.
 */
export function tiesMerged(adapters: readonly Float32Array[], start: Float32Array, share = 0.2): Float32Array {
  const changes = adapters.map((adapter) =>
    trimmed(
      adapter.map((x, i) => x - start[i]!),
      share,
    ),
  );
  return start.map((x, i) => {
    const values = changes.map((change) => change[i]!);
    const sign = Math.sign(values.reduce((sum, value) => sum + value, 0));
    const those = values.filter((value) => value !== 0 && Math.sign(value) === sign);
    return those.length === 0 ? x : x + those.reduce((sum, value) => sum + value, 0) / those.length;
  });
}

/** All but the share with the largest values is 0. */
function trimmed(change: Float32Array, share: number): Float32Array {
  const sizes = change.map(Math.abs).sort();
  const least = sizes[Math.max(0, sizes.length - Math.ceil(share * sizes.length))]!;
  return change.map((x) => (Math.abs(x) >= least ? x : 0));
}

/**
 * The mean, as far from the start as the adapters are on average: a mean of changes that differ is shorter than they are.
 * Shapes: f32[P] each → f32[P].
 */
export function normRestored(adapters: readonly Float32Array[], start: Float32Array): Float32Array {
  const mean = meanOfAdapters(adapters);
  const length = adapters.reduce((sum, adapter) => sum + distance(adapter, start), 0) / adapters.length;
  const short = distance(mean, start);
  return short === 0 ? mean : towards(start, mean, length / short);
}

/** Momentum of an outer step, and its rate, as in DiLoCo. */
export const OUTER = { momentum: 0.9, rate: 0.7 } as const;

/**
 * Nesterov's outer step: with Δ = x - mean and v ← μ v + Δ, x ← x - η (Δ + μ v).
 * Shapes: before, mean, velocity f32[P] → f32[P] each.  Source: DiLoCo, arXiv:2311.08105.
 */
export function nesterovStep(
  before: Float32Array,
  mean: Float32Array,
  velocity: Float32Array,
): { readonly next: Float32Array; readonly velocity: Float32Array } {
  const { momentum, rate } = OUTER;
  const change = before.map((x, i) => x - mean[i]!);
  const moved = velocity.map((v, i) => momentum * v + change[i]!);
  return { next: before.map((x, i) => x - rate * (change[i]! + momentum * moved[i]!)), velocity: moved };
}

/** |a - b|.  Shapes: f32[P] each. */
export function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (const [i, x] of a.entries()) sum += (x - b[i]!) ** 2;
  return Math.sqrt(sum);
}
