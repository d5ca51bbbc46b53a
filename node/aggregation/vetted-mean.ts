/**
 * The mean of the neighbours that pass a look at whole adapters: copies count once, and those stay out that are far from most or
 * do not go where most go. The peer's own adapter is the one point that is known to be honest, so it takes part in every look.
 */

import { leaningOf } from "./leaning.ts";
import { weightedMean } from "./mean.ts";
import { addSquaredDistances, checkPoints, type Point } from "./point.ts";
import type { RuleDefinition, RuleInput, Vetting } from "./rule-definition.ts";

/** The rule `vetted-mean`. */
export const VETTED_MEAN: RuleDefinition<"vetted-mean"> = {
  neighboursMin: () => 1,
  looksAtWholes: true,
  aggregate: (input) => vettedMean(input),
};

/**
 * Two points are copies at so many of the typical distance. Updates that were trained apart were never nearer than 0.5 of it while
 * all trained (lora and loreft, ten peers on equal and on unequal data); a copy that is rounded anew is nearer than 0.05.
 */
export const COPY = 0.2;
/**
 * A point is far at so many typical distances. Honest ones that mixed evenly were within 1.22, on equal data, unequal data and a task
 * each; a liar that trains by itself on false labels is at 1.22 to 1.4 in the second round and beyond from then on.
 */
export const FAR = 1.4;
/** A point goes elsewhere below this part of the typical agreement; honest ones were at 0.67 and more from the second round on. */
export const AGREEMENT = 0.6;
/** And below so many median deviations. Where these are above the agreement it is chance, and nobody goes elsewhere. */
export const DEVIATIONS = 3;
/** d² / m of a part in which more than half of the neighbours are where the peer is, and these two are not. */
const APART = 1e12;

/** A point among the others: its place in the distances, and how much its word counts. */
interface Voter {
  readonly at: number;
  readonly weight: number;
}

/**
 * z = Σ α_j c_j x_j / Σ α_j c_j over the neighbours that are kept; the own adapter where none is. x_0 is the own adapter, med the
 * lower median, weighted by c where it is over points.
 *
 * 1. D_jk² = Σ_t |x_jt - x_kt|² / m_t over the parts t, m_t = med_k |x_kt - x_0t|²: every part counts alike.
 * 2. Copies: D_jk <= 0.2 med_j med_k D_jk. c_j = 1 / (the number of copies of j, itself among them), and 0 for one of x_0.
 * 3. Far: s_j > 1.4 med_j s_j with s_j = med_(k≠j) D_jk. Such j are left out.
 * 4. Elsewhere, where the common start x_s is given: with G_jk = <x_j - x_s, x_k - x_s> in the measure of D, a_j = med_(k≠j) G_jk
 *    and A = med_j a_j above E = med_j |a_j - A|: a_j < 0.6 A and a_j < A - 3 E. Such j are left out.
 *
 * While more than half of all points, the own one among them, are honest and no copies of each other, every point that is kept is
 * within 1.4 Δ of an honest one, Δ the largest D of two honest points: half of the others are within 1.4 med s <= 1.4 Δ of it.
 * Shapes: points [P] each, weights one per point, above 0, own [P], start [P] -> [P].
 * Throws: RangeError when there is no point, or the points and weights do not fit each other.
 * Source: this project's own; the distances to a majority are those of Krum, arXiv:1703.02757.
 */
export function vettedMean(input: RuleInput): Float64Array {
  const { points, weights, own } = input;
  const vetting = vet(input);
  input.onVetted?.(vetting);
  const { counted } = vetting;
  const kept = points.flatMap((_, j) => (counted[j]! > 0 ? [j] : []));
  if (kept.length === 0) return Float64Array.from(own);
  return weightedMean(
    kept.map((j) => points[j]!),
    kept.map((j) => weights[j]! * counted[j]!),
  );
}

/** c_j of every neighbour, 0 of those that are left out.  Shapes, throws: as `vettedMean`. */
export const vettedWeights = (input: RuleInput): Float64Array => vet(input).counted;

/** Whom the looks leave in.  Shapes, throws: as `vettedMean`. */
function vet({ points, weights, own, parts, start }: RuleInput): Vetting {
  checkPoints([own, ...points], [1, ...weights]);
  const all = start === undefined ? [own, ...points] : [own, ...points, start];
  const squares = squaredDistances(all, parts ?? [{ offset: 0, length: own.length }], points.length);
  const size = all.length;
  const distance = (j: number, k: number): number => Math.sqrt(squares[j * size + k]!);
  const nearest = copyDistance(points.length + 1, distance);
  const counts = copyWeights(points.length + 1, distance, nearest);
  const voters = Array.from(counts, (weight, at) => ({ at, weight })).filter(({ weight }) => weight > 0);
  const near = withoutFar(voters, distance);
  const inner = (j: number, k: number): number =>
    (squares[j * size + size - 1]! + squares[k * size + size - 1]! - squares[j * size + k]!) / 2;
  const kept = start === undefined ? near : withoutStrayers(near, inner);
  const counted = new Float64Array(points.length);
  for (const { at, weight } of kept) if (at > 0) counted[at - 1] = weight;
  const apart: number[] = [];
  for (const { at } of kept) if (at > 0 && apart.every((one) => distance(one, at) > nearest)) apart.push(at);
  const places = leaningOf(apart.length, (j, k) => squares[apart[j]! * size + apart[k]!]!);
  const order = apart.map((at, i) => ({ at, place: places[i]! })).sort((a, b) => a.place - b.place);
  return { counted, order: order.map(({ at }) => at - 1) };
}

/** D² of all pairs, [n, n]; the first `neighbours` points behind the own one say how much a part counts. */
function squaredDistances(
  all: readonly Point[],
  parts: NonNullable<RuleInput["parts"]>,
  neighbours: number,
): Float64Array {
  const n = all.length;
  const squares = new Float64Array(n * n);
  const rows = all.map((_, j) => new Float64Array(n - j - 1));
  for (const { offset, length } of parts) {
    for (const [j, row] of rows.entries()) {
      row.fill(0);
      addSquaredDistances(all.slice(j + 1), all[j]!, { from: offset, to: offset + length }, row);
    }
    const unit = lowerMedian(rows[0]!.subarray(0, neighbours));
    for (const [j, row] of rows.entries()) {
      for (const [i, square] of row.entries()) {
        if (square > 0) squares[j * n + j + 1 + i]! += unit > 0 ? square / unit : APART;
      }
    }
  }
  for (let j = 0; j < n; j++) for (let k = 0; k < j; k++) squares[j * n + k] = squares[k * n + j]!;
  return squares;
}

/** Within which two points are copies. */
function copyDistance(count: number, distance: (j: number, k: number) => number): number {
  const all = Array.from({ length: count }, (_, at) => at);
  const others = (j: number): number[] => all.flatMap((k) => (k === j ? [] : [distance(j, k)]));
  return COPY * lowerMedian(all.map((j) => lowerMedian(others(j))));
}

/** c of every point, the own one first, whose c is 1. */
function copyWeights(count: number, distance: (j: number, k: number) => number, nearest: number): Float64Array {
  const all = Array.from({ length: count }, (_, at) => at);
  const isMirror = all.map((j) => j > 0 && distance(0, j) <= nearest);
  return Float64Array.from(all, (j) => {
    if (j === 0) return 1;
    if (isMirror[j]) return 0;
    return 1 / all.filter((k) => k > 0 && !isMirror[k] && (k === j || distance(j, k) <= nearest)).length;
  });
}

/** The points but for those that are far from most. */
function withoutFar(voters: readonly Voter[], distance: (j: number, k: number) => number): readonly Voter[] {
  if (voters.length < 2) return voters;
  const typical = voters.map((one) => medianOver(others(voters, one), ({ at }) => distance(one.at, at)));
  const most = FAR * medianOver(voters, (_, i) => typical[i]!);
  return voters.filter((_, i) => typical[i]! <= most);
}

/** The points but for those that do not go where most go. */
function withoutStrayers(voters: readonly Voter[], inner: (j: number, k: number) => number): readonly Voter[] {
  if (voters.length < 2) return voters;
  const agreement = voters.map((one) => medianOver(others(voters, one), ({ at }) => inner(one.at, at)));
  const typical = medianOver(voters, (_, i) => agreement[i]!);
  const deviation = medianOver(voters, (_, i) => Math.abs(agreement[i]! - typical));
  if (!(typical > deviation)) return voters;
  const least = Math.min(AGREEMENT * typical, typical - DEVIATIONS * deviation);
  return voters.filter((_, i) => agreement[i]! >= least);
}

const others = (voters: readonly Voter[], one: Voter): readonly Voter[] => voters.filter((other) => other !== one);

/** The least value at or below which half of the weight is. */
function medianOver(voters: readonly Voter[], read: (voter: Voter, i: number) => number): number {
  const order = voters.map((voter, i) => ({ value: read(voter, i), weight: voter.weight }));
  order.sort((a, b) => a.value - b.value);
  const half = order.reduce((sum, { weight }) => sum + weight, 0) / 2;
  let sum = 0;
  for (const { value, weight } of order) {
    sum += weight;
    // Shares such as three thirds add up to one within rounding.
    if (sum >= half * (1 - 1e-9)) return value;
  }
  return order.at(-1)!.value;
}

/** The lower one of the middle values; at least one. */
function lowerMedian(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[(sorted.length - 1) >> 1]!;
}
