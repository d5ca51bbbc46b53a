/** The scores of evaluation batches: loss, token accuracy, exact match, entities, and the first two for each task. */
import type { Batch } from "../data/batch.ts";
import { type Evaluation, TASKS_MAX, type TaskScore } from "../interface/trainer.ts";
import { EntityCounts, nameEntities } from "./entities.ts";

/** A batch, and what the evaluation graph gave for it. */
export interface EvaluatedBatch {
  readonly batch: Batch;
  /** f32[M] in nats. */
  readonly losses: ArrayLike<number>;
  /** Most likely token of every row, [M]. */
  readonly predicted: ArrayLike<number>;
  /** Task of each of the batch's examples; absent where none has one. */
  readonly tasks?: readonly (string | undefined)[];
}

interface Sums {
  loss: number;
  tokens: number;
  hits: number;
}

/**
 * Mean loss over all response tokens, share of tokens predicted, share of examples predicted wholly; sums in float64.
 * Labels of one example stand together and the rows of different examples lie in different multiples of T.
 * labels: names of the classes, where these are of tokens.
 */
export function summarize(parts: readonly EvaluatedBatch[], labels: readonly string[] = []): Evaluation {
  const all: Sums = { loss: 0, tokens: 0, hits: 0 };
  const byTask = new Map<string, Sums>();
  const entities = nameEntities(labels) ? new EntityCounts() : undefined;
  let [examples, exact] = [0, 0];
  for (const { batch, losses, predicted, tasks = [] } of parts) {
    const width = batch.inputIds.shape[1]!;
    const missed = new Set<number>();
    const tags = new Map<number, { readonly right: string[]; readonly found: string[] }>();
    for (let m = 0; m < batch.labelCount; m++) {
      const example = Math.floor(Number(batch.labelRows.data[m]) / width);
      const isHit = predicted[m] === Number(batch.labelIds.data[m]);
      const task = tasks[example];
      count(all, losses[m]!, isHit);
      if (task !== undefined) count(sumsOf(byTask, task), losses[m]!, isHit);
      if (!isHit) missed.add(example);
      if (!entities) continue;
      const own = tags.get(example) ?? { right: [], found: [] };
      own.right.push(labels[Number(batch.labelIds.data[m])] ?? "O");
      own.found.push(labels[predicted[m]!] ?? "O");
      tags.set(example, own);
    }
    for (const { right, found } of tags.values()) entities?.add(right, found);
    examples += batch.exampleCount;
    exact += batch.exampleCount - missed.size;
  }
  const { tokens } = all;
  if (tokens === 0) return { loss: Number.NaN, accuracy: Number.NaN, exactMatch: Number.NaN, tokens };
  const tasks = taskScores(byTask);
  return {
    ...meansOf(all),
    exactMatch: exact / examples,
    tokens,
    ...(entities && { entities: entities.score() }),
    ...(tasks.length > 0 && { tasks }),
  };
}

/** The summed loss of each example of a batch, in nats, in the batch's order. */
export function exampleLossesOf({ batch, losses }: EvaluatedBatch): readonly number[] {
  const width = batch.inputIds.shape[1]!;
  const sums = new Array<number>(batch.exampleCount).fill(0);
  for (let m = 0; m < batch.labelCount; m++) sums[Math.floor(Number(batch.labelRows.data[m]) / width)]! += losses[m]!;
  return sums;
}

/** Of a normal distribution: 95 % lies within so many deviations. */
const DEVIATIONS_95 = 1.96;

/**
 * Half of the 95 % interval of L = sum l / sum t, a ratio of sums over n examples with summed losses l and t tokens:
 * 1.96 sqrt(n / (n - 1) sum (l - L t)^2) / sum t. Undefined where n is below 2.
 * Source: Cochran, Sampling Techniques (1977), section 2.11.
 */
export function lossInterval(parts: readonly EvaluatedBatch[]): number | undefined {
  const examples = parts.flatMap((part) => {
    const tokens = exampleTokensOf(part.batch);
    return exampleLossesOf(part).map((loss, i) => ({ loss, tokens: tokens[i]! }));
  });
  if (examples.length < 2) return undefined;
  const [losses, tokens] = examples.reduce(([l, t], one) => [l + one.loss, t + one.tokens], [0, 0]);
  const squares = examples.reduce((sum, one) => sum + (one.loss - (losses / tokens) * one.tokens) ** 2, 0);
  return (DEVIATIONS_95 * Math.sqrt((examples.length / (examples.length - 1)) * squares)) / tokens;
}

/** The labelled tokens of each example of a batch. */
export function exampleTokensOf(batch: Batch): readonly number[] {
  const width = batch.inputIds.shape[1]!;
  const counts = new Array<number>(batch.exampleCount).fill(0);
  for (let m = 0; m < batch.labelCount; m++) counts[Math.floor(Number(batch.labelRows.data[m]) / width)]! += 1;
  return counts;
}

function count(sums: Sums, loss: number, isHit: boolean): void {
  sums.loss += loss;
  sums.tokens += 1;
  if (isHit) sums.hits += 1;
}

function sumsOf(byTask: Map<string, Sums>, task: string): Sums {
  const known = byTask.get(task);
  if (known) return known;
  const sums = { loss: 0, tokens: 0, hits: 0 };
  byTask.set(task, sums);
  return sums;
}

const meansOf = ({ loss, tokens, hits }: Sums) => ({ loss: loss / tokens, accuracy: hits / tokens });

function taskScores(byTask: ReadonlyMap<string, Sums>): TaskScore[] {
  const sorted = [...byTask].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, TASKS_MAX);
  return sorted.map(([task, sums]) => ({ task, ...meansOf(sums) }));
}
