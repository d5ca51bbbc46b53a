/**
 * Whether one adapter is better than another, judged on the same held-out examples. Losses of examples differ far more than
 * those of two adapters on one example, so the differences are tested and not the means. Pure: losses in, an answer out.
 */

/** The loss of an adapter on held-out examples. */
export interface HeldOutLoss {
  /** Mean over all response tokens, in nats. */
  readonly loss: number;
  /** Sum over each example's response tokens, in nats, always in the same order. */
  readonly examples: readonly number[];
}

/** Which of two adapters is better: the first, the second, or neither as far as the examples can tell. */
export type Better = "first" | "second" | "undecided";

/** Quantile of the normal distribution at which a difference counts: a wrong answer in 20 to either side. */
const NORMAL_QUANTILE = 1.645;

/**
 * The paired one-sided test: t = mean(d) / (s / √n) against the 95 % quantile of Student's distribution with n - 1 degrees.
 * first: t below minus that, d being the first's loss less the second's. One example has no spread: nothing is decided by it.
 * A difference that is not finite decides at once, unless there are some of both signs. z: another quantile of the normal distribution.
 */
export function pairedTest(differences: readonly number[], z: number = NORMAL_QUANTILE): Better {
  const isBad = differences.some((d) => d === Number.POSITIVE_INFINITY);
  const isGood = differences.some((d) => d === Number.NEGATIVE_INFINITY);
  if (isBad !== isGood) return isGood ? "first" : "second";
  const n = differences.length;
  if (isBad || n < 2) return "undecided";
  // The test knows no scale; in units of the largest difference no square is lost.
  const largest = differences.reduce((most, d) => Math.max(most, Math.abs(d)), 0);
  if (largest === 0) return "undecided";
  const scaled = differences.map((d) => d / largest);
  const mean = scaled.reduce((sum, d) => sum + d, 0) / n;
  const variance = scaled.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (n - 1);
  if (Math.abs(mean) <= studentQuantile(n - 1, z) * Math.sqrt(variance / n)) return "undecided";
  return mean < 0 ? "first" : "second";
}

/**
 * The quantile of Student's distribution with so many degrees of freedom, from that of the normal one; by default the one of
 * 95 %: 5.57 in place of 6.31 with one degree, within 0.04 from two on.  Source: Cornish and Fisher's expansion, Abramowitz and Stegun 26.7.5.
 */
export function studentQuantile(degrees: number, z: number = NORMAL_QUANTILE): number {
  const [first, second] = [(z ** 3 + z) / 4, (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96];
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / degrees + second / degrees ** 2 + third / degrees ** 3;
}

/** d_e = the first's loss on example e less the second's; a loss that is no number is infinitely bad, two of them are equal. */
export function differencesOf(first: HeldOutLoss, second: HeldOutLoss): number[] {
  return first.examples.map((loss, e) => difference(loss, second.examples[e] ?? Number.NaN));
}

/** d ← share · d + the newest differences; the newest alone where there are none or others before. */
export function pooled(before: readonly number[] | undefined, newest: readonly number[], share: number): number[] {
  if (before?.length !== newest.length) return [...newest];
  return newest.map((d, e) => (Number.isFinite(before[e]!) ? share * before[e]! + d : d));
}

/**
 * Whether the best of several candidates is better than the own adapter. The one with the least loss on the even examples is
 * tested on the odd ones, and the other way round, so that nobody is judged on the examples that it was chosen by.
 * Returns the candidate with the least loss on all of them; without a finite one the first.
 */
export function bestAgainst(
  own: HeldOutLoss,
  candidates: readonly HeldOutLoss[],
): { readonly best: number; readonly better: Better } {
  const folds = [0, 1].map((fold) => own.examples.map((_, e) => e).filter((e) => e % 2 === fold));
  const differences = own.examples.map(() => 0);
  for (const [fold, examples] of folds.entries()) {
    const chosen = candidates[leastOf(candidates, folds[1 - fold]!)]!;
    for (const e of examples) differences[e] = difference(own.examples[e]!, chosen.examples[e]!);
  }
  const losses = candidates.map(({ loss }) => (Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY));
  return { best: losses.indexOf(Math.min(...losses)), better: pairedTest(differences) };
}

/** The candidate with the least sum over these examples; the first of equal ones. */
function leastOf(candidates: readonly HeldOutLoss[], examples: readonly number[]): number {
  const sums = candidates.map((one) => examples.reduce((sum, e) => sum + infiniteIfBad(one.examples[e]!), 0));
  return sums.indexOf(Math.min(...sums));
}

function difference(first: number, second: number): number {
  const [a, b] = [infiniteIfBad(first), infiniteIfBad(second)];
  return a === b ? 0 : a - b;
}

const infiniteIfBad = (loss: number): number => (Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY);
