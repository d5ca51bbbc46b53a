/**
 * Length buckets: a batch is as wide as its longest example, so examples of like length are batched together. The
 * widths are chosen from the data; which examples stand in the batch of a draw is a function of (seed, draw) alone.
 *
 * Where the loss is a mean over a batch's labels, those of short examples weigh more in a batch of their own than they do
 * among long ones; a step of several accumulated batches, whose mean is over all of them, mixes lengths again.
 */
import { createPrng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import type { Example } from "../interface/trainer.ts";
import { type Batch, type BatchShape, createBatches, planShape, readTokens, TOKENS_MULTIPLE } from "./batch.ts";

/** Each bucket is a graph and a session of its own; four save most of what is to be saved (see the tests). */
export const BUCKETS_MAX = 4;

/** Share of all padded tokens that a further bucket must save; of evenly spread lengths the fourth saves 0.042. */
export const SAVING_MIN = 0.03;

/** Batches up to this width stay undivided: there a step's cost is mostly that of being a step. */
export const WIDTH_UNDIVIDED = 64;

/** Different widths that are told apart; beyond them widths are rounded up to larger multiples. Bounds the planning. */
const WIDTHS_MAX = 256;

/** Examples of like length, and the shape of their batches. */
export interface Bucket {
  readonly shape: BatchShape;
  /** Indices of its examples, in their order. */
  readonly members: readonly number[];
}

/** How a data set is divided into buckets. */
export interface BucketOptions {
  readonly batchSize: number;
  /** At most so many buckets. */
  readonly bucketsMax?: number;
}

/**
 * Buckets by length, shortest first, that make the sum over all examples of their padded length least, with no more
 * buckets than pay and none with fewer examples than two batches, so that shuffling still mixes what meets in a batch.
 * Throws: NodeError DATA_TOO_SMALL (no examples), CONFIG_INVALID (batch size, number of buckets).
 */
export function planBuckets(
  examples: readonly Example[],
  { batchSize, bucketsMax = BUCKETS_MAX }: BucketOptions,
): readonly Bucket[] {
  if (!Number.isSafeInteger(bucketsMax) || bucketsMax < 1) {
    throw new NodeError("CONFIG_INVALID", `buckets is ${bucketsMax}; it must be 1 or more`, { bucketsMax });
  }
  const { tokens: widest } = planShape(examples, { batchSize });
  const multiple = TOKENS_MULTIPLE * Math.ceil(widest / TOKENS_MULTIPLE / WIDTHS_MAX);
  const counts = new Map<number, number>();
  for (const example of examples) {
    const width = Math.ceil(readTokens(example) / multiple) * multiple;
    counts.set(width, (counts.get(width) ?? 0) + 1);
  }
  const widths = [...counts.keys()].sort((a, b) => a - b);
  const numbers = widths.map((width) => counts.get(width)!);
  const most = widest <= WIDTH_UNDIVIDED ? 1 : bucketsMax;
  const limits = bucketLimits(widths, numbers, { countMin: 2 * batchSize, bucketsMax: most });
  return limits.map((limit, b) => {
    const above = limits[b - 1] ?? 0;
    const lengths = examples.map(readTokens);
    const members = lengths.flatMap((length, i) => (length > above && length <= limit ? [i] : []));
    const own = members.map((i) => examples[i]!);
    return { shape: planShape(own, { batchSize }), members };
  });
}

/**
 * The widest width of each bucket: the fewest buckets of which one more saves less than SAVING_MIN.
 * cost[k][j] = min over i of cost[k-1][i] + widths[j-1] (numbers[i] + … + numbers[j-1]): k buckets over the first j widths.
 */
function bucketLimits(
  widths: readonly number[],
  numbers: readonly number[],
  { countMin, bucketsMax }: { readonly countMin: number; readonly bucketsMax: number },
): readonly number[] {
  const before = [0];
  for (const number of numbers) before.push(before.at(-1)! + number);
  const last = widths.length;
  let best = { cost: widths[last - 1]! * before[last]!, limits: [widths[last - 1]!] };
  const least = SAVING_MIN * best.cost;
  let row = widths.map((width, j) =>
    before[j + 1]! >= countMin ? { cost: width * before[j + 1]!, limits: [width] } : undefined,
  );
  for (let k = 2; k <= Math.min(bucketsMax, last); k++) {
    const next: typeof row = widths.map((width, j) => {
      let found: { cost: number; limits: number[] } | undefined;
      for (let i = 0; i < j; i++) {
        const lower = row[i];
        const count = before[j + 1]! - before[i + 1]!;
        if (!lower || count < countMin) continue;
        const cost = lower.cost + width * count;
        if (!found || cost < found.cost) found = { cost, limits: [...lower.limits, width] };
      }
      return found;
    });
    const whole = next[last - 1];
    if (!whole || best.cost - whole.cost < least) break;
    best = whole;
    row = next;
  }
  return best.limits;
}

/** A batch and the bucket that it was drawn from. */
export interface BucketedBatch {
  /** Index of the bucket that it belongs to. */
  readonly bucket: number;
  readonly batch: Batch;
}

/**
 * Endless training batches, every one within one bucket. Of the draws of e passes over the data, bucket b has
 * floor(e n_b / B): each example comes as often as any other, whatever its length. Within a pass the buckets' draws are
 * shuffled by a stream of the pass, within a bucket the examples as `createBatches` does. With one bucket the batches
 * are those of `createBatches`.
 */
export function createBucketedBatches(
  examples: readonly Example[],
  { buckets, seed }: { readonly buckets: readonly Bucket[]; readonly seed: number },
): { batchAt(draw: number): BucketedBatch } {
  const batchSize = buckets[0]!.shape.batchSize;
  const own = buckets.map(({ shape, members }, b) =>
    createBatches(
      members.map((i) => examples[i]!),
      { shape, seed, ...(buckets.length > 1 && { stream: `batch-order-${b}` }) },
    ),
  );
  const drawn = (bucket: number, passes: number): number =>
    Math.floor((passes * buckets[bucket]!.members.length) / batchSize);
  const drawnInAll = (passes: number): number => buckets.reduce((sum, _, b) => sum + drawn(b, passes), 0);
  const root = createPrng(seed).fork("bucket-order");
  let cached: { pass: number; order: readonly number[] } = { pass: -1, order: [] };
  const orderOf = (pass: number): readonly number[] => {
    if (cached.pass !== pass) {
      const draws = buckets.flatMap((_, b) => new Array<number>(drawn(b, pass + 1) - drawn(b, pass)).fill(b));
      cached = { pass, order: root.fork(`pass-${pass}`).shuffle(draws) };
    }
    return cached.order;
  };
  return {
    batchAt: (draw) => {
      if (buckets.length === 1) return { bucket: 0, batch: own[0]!.batchAt(draw) };
      const pass = passOf(draw, drawnInAll, examples.length / batchSize);
      const order = orderOf(pass);
      const place = draw - drawnInAll(pass);
      const bucket = order[place]!;
      let index = drawn(bucket, pass);
      for (let i = 0; i < place; i++) if (order[i] === bucket) index += 1;
      return { bucket, batch: own[bucket]!.batchAt(index) };
    },
  };
}

/** The pass e with drawnInAll(e) <= draw < drawnInAll(e + 1); a pass has about `perPass` draws. */
function passOf(draw: number, drawnInAll: (passes: number) => number, perPass: number): number {
  let pass = Math.floor(draw / perPass);
  while (drawnInAll(pass + 1) <= draw) pass += 1;
  while (pass > 0 && drawnInAll(pass) > draw) pass -= 1;
  return pass;
}
