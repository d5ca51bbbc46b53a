/** Clouds of points, and each robust rule once more: slow, in plain f64 lists, written from its definition. */
import fc from "fast-check";
import type { RuleSettings } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";

export type Vector = readonly number[];

/** Every robust rule with its numbers, for nine points of which two may lie. */
export const ROBUST_RULES: readonly RuleSettings[] = [
  { rule: "median" },
  { rule: "trimmed-mean", trim: 0.25 },
  { rule: "krum", faulty: 2 },
  { rule: "multi-krum", faulty: 2 },
  { rule: "multi-krum", faulty: 2, keep: 3 },
  { rule: "centred-clipping", radius: 1 },
  { rule: "clipped-gossip", radius: 1 },
  { rule: "vetted-mean" },
];
export const ALL_RULES: readonly RuleSettings[] = [{ rule: "mean" }, { rule: "geometric-median" }, ...ROBUST_RULES];

/** A rule with the numbers of any. */
interface RuleNumbers {
  readonly rule: RuleSettings["rule"];
  readonly trim?: number;
  readonly faulty?: number;
  readonly keep?: number;
  readonly radius?: number;
}

/** The numbers of a rule, whichever it is. */
export const numbersOf = (settings: RuleSettings): RuleNumbers => settings;

export const nameOf = (settings: RuleSettings): string => {
  const { rule, keep } = numbersOf(settings);
  return `${rule}${keep === undefined ? "" : ` of ${keep}`}${settings.normClip ? ", norm clip" : ""}`;
};

/** Normal points around a centre of their own. */
export function cloud(seed: number, count: number, size: number): Float64Array[] {
  const prng = createPrng(seed);
  const centre = Array.from({ length: size }, () => 3 * prng.normal());
  return Array.from({ length: count }, () => Float64Array.from(centre, (c) => c + prng.normal()));
}

/** Weights that updates of some age have. */
export function agedWeights(seed: number, count: number): number[] {
  const prng = createPrng(seed).fork("age");
  return Array.from({ length: count }, () => (1 + prng.below(3)) ** -0.5);
}

/** A seed of a cloud. */
export const seeds = fc.integer({ min: 1, max: 1_000_000 });

export const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
export const minus = (x: ArrayLike<number>, y: ArrayLike<number>): number[] => Array.from(x, (v, i) => v - y[i]!);
export const distance = (x: ArrayLike<number>, y: ArrayLike<number>): number => norm(minus(x, y));

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const average = (points: readonly Vector[], weights: readonly number[]): number[] =>
  points[0]!.map((_, i) => sum(points.map((x, j) => weights[j]! * x[i]!)) / sum(weights));

/** Any z of least Σ α |z - x| is a weighted median; the middle of all that are. */
function medianSlowly(values: readonly number[], weights: readonly number[]): number {
  const cost = (z: number): number => sum(values.map((x, j) => weights[j]! * Math.abs(z - x)));
  const best = Math.min(...values.map(cost));
  const good = values.filter((x) => cost(x) <= best * (1 + 1e-11));
  return (Math.min(...good) + Math.max(...good)) / 2;
}

function trimmedSlowly(values: readonly number[], weights: readonly number[], share: number): number {
  const order = values.map((x, j) => [x, j] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const cut = Math.floor(share * values.length + 1e-9);
  const kept = order.slice(cut, order.length - cut);
  return sum(kept.map(([x, j]) => weights[j]! * x)) / sum(kept.map(([, j]) => weights[j]!));
}

/** Indices of the points, the best of Krum first. */
function krumOrder(points: readonly Vector[], faulty: number): number[] {
  const score = (x: Vector, j: number): number => {
    const others = points.filter((_, k) => k !== j).map((y) => sum(minus(x, y).map((d) => d * d)));
    return sum(ascending(others).slice(0, points.length - faulty - 2));
  };
  return points
    .map((x, j) => ({ j, s: score(x, j) }))
    .sort((a, b) => a.s - b.s || a.j - b.j)
    .map(({ j }) => j);
}

function clippedSlowly(
  points: readonly Vector[],
  weights: readonly number[],
  { around, radius }: { readonly around: Vector; readonly radius: number },
): number[] {
  const pulls = points.map((x) => {
    const d = minus(x, around);
    return d.map((v) => v * Math.min(1, norm(d) === 0 ? 1 : radius / norm(d)));
  });
  return average(pulls, weights).map((v, i) => around[i]! + v);
}

/** Without a start to say where adapters went, and with all values as one part. */
function vettedSlowly(points: readonly Vector[], weights: readonly number[], own: Vector): number[] {
  const lower = (values: readonly number[], counts: readonly number[] = values.map(() => 1)): number => {
    const order = values.map((value, i) => ({ value, i })).sort((a, b) => a.value - b.value);
    const upTo = (place: number): number => sum(order.slice(0, place + 1).map(({ i }) => counts[i]!));
    return order.find((_, place) => upTo(place) >= sum(counts) / 2 - 1e-9)!.value;
  };
  const all = [own, ...points];
  const squared = (x: Vector, y: Vector): number => sum(minus(x, y).map((d) => d * d));
  const unit = lower(points.map((x) => squared(x, own)));
  const measured = (square: number): number => (square === 0 ? 0 : unit === 0 ? 1e12 : square / unit);
  const d = all.map((x) => all.map((y) => Math.sqrt(measured(squared(x, y)))));
  const copy = 0.2 * lower(d.map((row, j) => lower(row.toSpliced(j, 1))));
  const isMirror = d[0]!.map((far, j) => j > 0 && far <= copy);
  const counts = d.map((row, j) => {
    if (j === 0 || isMirror[j]) return j === 0 ? 1 : 0;
    return 1 / row.filter((far, k) => k > 0 && !isMirror[k] && far <= copy).length;
  });
  const typical = d.map((row, j) => lower(row.toSpliced(j, 1), counts.toSpliced(j, 1)));
  const most = 1.4 * lower(typical, counts);
  const shares = points.map((_, j) => (typical[j + 1]! <= most ? weights[j]! * counts[j + 1]! : 0));
  return sum(shares) === 0 ? [...own] : average(points, shares);
}

/** The rule without regard to its least number of points; not for the geometric median, which has a test of its own. */
export function slowly(
  settings: RuleSettings,
  { points: given, weights, own }: { points: readonly Vector[]; weights: readonly number[]; own: Vector },
): number[] {
  const { rule, normClip } = settings;
  const { trim = 0, faulty = 0, keep = Number.POSITIVE_INFINITY, radius = 0 } = numbersOf(settings);
  const far = ascending(given.map((x) => distance(x, own)));
  const median = far[Math.ceil(far.length / 2) - 1]!;
  const points = normClip
    ? given.map((x) => x.map((v, i) => own[i]! + (v - own[i]!) * Math.min(1, median / distance(x, own))))
    : given;
  const coordinates = (f: (values: number[]) => number): number[] =>
    points[0]!.map((_, i) => f(points.map((x) => x[i]!)));
  const medians = (): number[] => coordinates((values) => medianSlowly(values, weights));
  switch (rule) {
    case "mean":
      return average(points, weights);
    case "median":
      return medians();
    case "trimmed-mean":
      return coordinates((values) => trimmedSlowly(values, weights, trim));
    case "krum":
      return [...points[krumOrder(points, faulty)[0]!]!];
    case "multi-krum": {
      const best = krumOrder(points, faulty).slice(0, Math.min(keep, points.length - faulty - 2));
      return average(
        best.map((j) => points[j]!),
        best.map((j) => weights[j]!),
      );
    }
    case "centred-clipping":
      return [1, 2, 3, 4, 5].reduce((around) => clippedSlowly(points, weights, { around, radius }), medians());
    case "clipped-gossip":
      return clippedSlowly(points, weights, { around: own, radius });
    case "vetted-mean":
      return vettedSlowly(points, weights, own);
    case "geometric-median":
      throw new Error("see geometric-median.test.ts");
  }
}
