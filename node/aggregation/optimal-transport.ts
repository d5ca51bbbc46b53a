/**
 * The cheapest way to carry one distribution over to another: min Σ x_ij c_ij with Σ_j x_ij = a_i, Σ_i x_ij = b_j, x ≥ 0.
 * Solved exactly by successive shortest paths with node prices (Dijkstra on reduced costs), for a few dozen places.
 * Source: Edmonds and Karp 1972, "Theoretical improvements in algorithmic efficiency for network flow problems".
 */

/** Part of the mass that counts as none: rounding of sums to 1. */
const MASS_MIN = 1e-12;

/** A cheapest transport between two distributions. */
export interface Transport {
  readonly cost: number;
  /** x [a.length, b.length], row-major. */
  readonly plan: Float64Array;
}

/**
 * Shapes: cost [a.length, b.length], row-major, 0 or more; a and b positive, each adding up to 1 within 1e-9.
 * Throws: RangeError when they do not.
 */
export function optimalTransport(cost: Float64Array, a: readonly number[], b: readonly number[]): Transport {
  const [n, m] = [a.length, b.length];
  for (const masses of [a, b]) {
    const total = masses.reduce((sum, mass) => sum + mass, 0);
    if (!(Math.abs(total - 1) < 1e-9 && masses.every((mass) => mass > 0))) {
      throw new RangeError(`masses that add up to ${total} or are not all above 0`);
    }
  }
  if (cost.length !== n * m || !cost.every((c) => c >= 0 && Number.isFinite(c))) {
    throw new RangeError(`${cost.length} costs, of ${n} x ${m} that are finite and 0 or more`);
  }
  const plan = new Float64Array(n * m);
  const [left, missing] = [[...a], [...b]];
  const prices = new Float64Array(n + m);
  // Every path empties a place, fills one, or takes back a whole entry of the plan; far fewer than this in practice.
  for (let paths = 0; paths < 16 * (n + m) ** 2 && left.some((mass) => mass > MASS_MIN); paths++) {
    const path = cheapestPath(cost, plan, { left, missing, prices });
    if (path === undefined) break;
    let amount = Math.min(left[path[0]!]!, missing[path.at(-1)! - n]!);
    for (let k = 1; k + 1 < path.length; k += 2) amount = Math.min(amount, plan[path[k + 1]! * m + path[k]! - n]!);
    for (let k = 0; k + 1 < path.length; k++) {
      const [from, to] = [path[k]!, path[k + 1]!];
      if (from < n) plan[from * m + to - n]! += amount;
      else plan[to * m + from - n]! -= amount;
    }
    left[path[0]!]! -= amount;
    missing[path.at(-1)! - n]! -= amount;
  }
  return { cost: plan.reduce((sum, x, k) => sum + x * cost[k]!, 0), plan };
}

/** Nodes from one with mass left to one that misses some: sources 0 to n - 1, then sinks. Updates the prices. */
function cheapestPath(
  cost: Float64Array,
  plan: Float64Array,
  {
    left,
    missing,
    prices,
  }: { readonly left: readonly number[]; readonly missing: readonly number[]; readonly prices: Float64Array },
): number[] | undefined {
  const [n, m] = [left.length, missing.length];
  const far = new Float64Array(n + m).fill(Number.POSITIVE_INFINITY);
  const before = new Int32Array(n + m).fill(-1);
  const done = new Uint8Array(n + m);
  for (const [i, mass] of left.entries()) if (mass > MASS_MIN) far[i] = 0;
  for (;;) {
    let at = -1;
    for (let k = 0; k < n + m; k++) {
      if (!done[k] && far[k]! < Number.POSITIVE_INFINITY && (at < 0 || far[k]! < far[at]!)) at = k;
    }
    if (at < 0) break;
    done[at] = 1;
    const isSource = at < n;
    for (let k = isSource ? n : 0; k < (isSource ? n + m : n); k++) {
      const edge = isSource ? at * m + k - n : k * m + at - n;
      if (!isSource && plan[edge]! <= MASS_MIN) continue;
      const reduced = Math.max(0, (isSource ? cost[edge]! : -cost[edge]!) + prices[at]! - prices[k]!);
      if (far[at]! + reduced < far[k]!) {
        far[k] = far[at]! + reduced;
        before[k] = at;
      }
    }
  }
  let end = -1;
  for (const [j, mass] of missing.entries()) {
    if (mass > MASS_MIN && (end < 0 || far[n + j]! < far[end]!)) end = n + j;
  }
  if (end < 0 || far[end] === Number.POSITIVE_INFINITY) return undefined;
  for (let k = 0; k < n + m; k++) prices[k]! += Math.min(far[k]!, far[end]!);
  const path = [end];
  while (before[path[0]!]! >= 0) path.unshift(before[path[0]!]!);
  return path;
}
