/** The field's measures, as lm-evaluation-harness and scikit-learn compute them: acc, acc_norm, exact match, F1, Matthews. */

/** One item with choices, scored. */
export interface ScoredChoice {
  /** Log likelihood of each choice, in nats, summed over its tokens. */
  readonly logLikelihoods: readonly number[];
  /** Characters of each choice, without the delimiter. */
  readonly lengths: readonly number[];
  readonly answer: number;
}

/** One written answer. */
export interface ScoredText {
  readonly answer: string;
  readonly target: string;
}

/** The measures of a task with choices; F1 of the second class, where all items have two choices. */
export interface ChoiceMeasures {
  readonly items: number;
  readonly acc: number;
  readonly accNorm: number;
  readonly f1?: number;
  readonly matthews: number;
}

/** The measures of a task whose answers are written; F1 over words, as SQuAD has it. */
export interface TextMeasures {
  readonly items: number;
  readonly exactMatch: number;
  readonly f1: number;
}

/** acc: the likeliest choice is right. acc_norm: the likeliest by log likelihood over characters is. Of equals the first. */
export function choiceMeasures(items: readonly ScoredChoice[]): ChoiceMeasures {
  const golds = items.map(({ answer }) => answer);
  const chosen = items.map(({ logLikelihoods }) => largest(logLikelihoods));
  const normed = items.map(({ logLikelihoods, lengths }) => largest(logLikelihoods.map((l, i) => l / lengths[i]!)));
  const share = (given: readonly number[]): number => meanOf(given.map((one, i) => Number(one === golds[i])));
  const isBinary = items.every(({ lengths }) => lengths.length === 2);
  return {
    items: items.length,
    acc: share(chosen),
    accNorm: share(normed),
    ...(isBinary && { f1: binaryF1(golds, chosen) }),
    matthews: matthews(golds, chosen),
  };
}

/** Exact match of the texts as they stand; F1 of the words that both have, normalised as SQuAD does. */
export function textMeasures(items: readonly ScoredText[]): TextMeasures {
  return {
    items: items.length,
    exactMatch: meanOf(items.map(({ answer, target }) => Number(answer === target))),
    f1: meanOf(items.map(({ answer, target }) => wordF1(answer, target))),
  };
}

/** 2 TP / (2 TP + FP + FN) of class 1; 0 where class 1 is neither there nor chosen.  Source: sklearn.metrics.f1_score. */
export function binaryF1(golds: readonly number[], chosen: readonly number[]): number {
  const hits = golds.filter((gold, i) => gold === 1 && chosen[i] === 1).length;
  const both = golds.filter((gold) => gold === 1).length + chosen.filter((one) => one === 1).length;
  return both === 0 ? 0 : (2 * hits) / both;
}

/**
 * (c s - t . p) / sqrt((s^2 - p . p)(s^2 - t . t)), with c right ones of s, t and p how often each class is right and is chosen; 0
 * where either side has one class only.  Source: Gorodkin 2004; sklearn.metrics.matthews_corrcoef.
 */
export function matthews(golds: readonly number[], chosen: readonly number[]): number {
  const s = golds.length;
  const classes = [...new Set([...golds, ...chosen])];
  const t = classes.map((one) => golds.filter((gold) => gold === one).length);
  const p = classes.map((one) => chosen.filter((gold) => gold === one).length);
  const c = golds.filter((gold, i) => gold === chosen[i]).length;
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const below = Math.sqrt((s * s - dot(p, p)) * (s * s - dot(t, t)));
  return below === 0 ? 0 : (c * s - dot(t, p)) / below;
}

/** 2 P R / (P + R) over words, each as often as both have it.  Source: Rajpurkar et al. 2016, the script of SQuAD 1.1. */
export function wordF1(answer: string, target: string): number {
  const [given, wanted] = [wordsOf(answer), wordsOf(target)];
  if (given.length === 0 || wanted.length === 0) return Number(given.length === wanted.length);
  const left = [...wanted];
  const same = given.filter((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  }).length;
  return (2 * same) / (given.length + wanted.length);
}

/** Lower case, without ASCII punctuation and English articles, cut at blanks. */
const wordsOf = (text: string): readonly string[] =>
  text
    .toLowerCase()
    .replace(/[!-/:-@[-`{-~]/g, "")
    .replace(/\b(a|an|the)\b/g, " ")
    .split(/\s+/)
    .filter((word) => word !== "");

/** The place of the largest, the first of equals. */
const largest = (values: readonly number[]): number =>
  values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);

const meanOf = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
