/** Krum and multi-Krum: the points that have the most company. */
import { weightedMean } from "./mean.ts";
import { checkPoints, type Point, squaredDistance } from "./point.ts";
import type { RuleDefinition } from "./rule-definition.ts";

/** The rule `krum`. */
export const KRUM: RuleDefinition<"krum"> = {
  neighboursMin: ({ faulty }) => krumPointsMin(faulty),
  aggregate: ({ points }, { faulty }) => krum(points, faulty),
};

/** The rule `multi-krum`. */
export const MULTI_KRUM: RuleDefinition<"multi-krum"> = {
  neighboursMin: ({ faulty }) => krumPointsMin(faulty),
  aggregate: ({ points, weights }, { faulty, keep }) => multiKrum(points, weights, { faulty, keep }),
};

/** Fewest points of which `faulty` may lie: n ≥ 2 f + 3. */
export function krumPointsMin(faulty: number): number {
  return 2 * faulty + 3;
}

/**
 * s_j = Σ |x_j - x_k|² over the n - f - 2 points k nearest to j: small only where a majority is near.
 * Shapes: points [P] each → one score per point.
 * Throws: RangeError when there are fewer than 2 f + 3 points.
 * Source: Blanchard et al. 2017, arXiv:1703.02757.
 */
export function krumScores(points: readonly Point[], faulty: number): Float64Array {
  const n = points.length;
  if (!(n >= krumPointsMin(faulty))) {
    throw new RangeError(`Krum against ${faulty} needs ${krumPointsMin(faulty)} points, not ${n}`);
  }
  const squares = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    for (let k = j + 1; k < n; k++) {
      squares[j * n + k] = squaredDistance(points[j]!, points[k]!);
      squares[k * n + j] = squares[j * n + k]!;
    }
  }
  return Float64Array.from({ length: n }, (_, j) => {
    // A point is at distance 0 from itself, which sorts first and adds nothing.
    const nearest = squares.slice(j * n, (j + 1) * n).sort();
    let sum = 0;
    for (let k = 1; k <= n - faulty - 2; k++) sum += nearest[k]!;
    return sum;
  });
}

/**
 * The point with the smallest score; of equal ones the first. It is one neighbour's adapter, so weights have no part.
 * Shapes: points [P] each → [P], a copy.
 * Throws: RangeError as `krumScores`.
 */
export function krum(points: readonly Point[], faulty: number): Float64Array {
  return Float64Array.from(points[ranking(krumScores(points, faulty))[0]!]!);
}

/**
 * The weighted mean of the m = min(keep, n - f - 2) points with the smallest scores, summed in the order of the points.
 * Shapes: points [P] each, weights one per point, above 0 → [P].
 * Throws: RangeError as `krumScores`, or when the points and weights do not fit each other.
 * Source: Blanchard et al. 2017, arXiv:1703.02757, section 4; m at most n - f - 2, so that a majority of honest points
 * can fill it; the weights are this project's own.
 */
export function multiKrum(
  points: readonly Point[],
  weights: readonly number[],
  { faulty, keep = points.length }: { readonly faulty: number; readonly keep?: number | undefined },
): Float64Array {
  checkPoints(points, weights);
  const count = Math.min(keep, points.length - faulty - 2);
  const kept = ranking(krumScores(points, faulty))
    .slice(0, count)
    .sort((a, b) => a - b);
  return weightedMean(
    kept.map((j) => points[j]!),
    kept.map((j) => weights[j]!),
  );
}

/** Indices by rising score, of equal ones the first point first (sorting is stable). */
function ranking(scores: Float64Array): number[] {
  return Array.from(scores, (_, j) => j).sort((a, b) => scores[a]! - scores[b]!);
}
