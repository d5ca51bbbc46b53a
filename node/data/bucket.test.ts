import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Example } from "../interface/trainer.ts";
import { createBatches } from "./batch.ts";
import { createBucketedBatches, planBuckets, SAVING_MIN, WIDTH_UNDIVIDED } from "./bucket.ts";

const ofLength = (length: number, first = 1): Example => ({
  tokens: Array.from({ length }, (_, i) => first + i),
  promptLength: 1,
});
const many = (count: number, length: number): Example[] => Array.from({ length: count }, () => ofLength(length));

/** Tokens of one pass over the data with padding. */
const padded = (buckets: ReturnType<typeof planBuckets>): number =>
  buckets.reduce((sum, { shape, members }) => sum + shape.tokens * members.length, 0);

const anyExamples = fc.array(
  fc.integer({ min: 2, max: 90 }).map((length) => ofLength(length)),
  { minLength: 1, maxLength: 60 },
);

describe("length buckets", () => {
  test("of two lengths are two; a few long examples among many short ones do not make all batches wide", () => {
    const buckets = planBuckets([...many(40, 15), ...many(8, 100)], { batchSize: 4 });
    expect(buckets.map(({ shape, members }) => [shape.tokens, members.length])).toEqual([
      [16, 40],
      [104, 8],
    ]);
  });

  test("stay one where the lengths are alike, or the examples too few to divide", () => {
    expect(planBuckets([...many(40, 97), ...many(40, 100)], { batchSize: 4 })).toHaveLength(1);
    expect(planBuckets([...many(40, 8), ...many(40, 64)], { batchSize: 4 })).toHaveLength(1);
    expect(planBuckets([...many(40, 15), ...many(7, 100)], { batchSize: 4 })).toHaveLength(1);
    expect(planBuckets([...many(40, 15), ...many(8, 100)], { batchSize: 4, bucketsMax: 1 })).toHaveLength(1);
  });

  test("never cost more padding than one width, and four save most of what any number would save", () => {
    const lengths = Array.from({ length: 400 }, (_, i) => 2 + ((i * i) % 199));
    const examples = lengths.map((length) => ofLength(length));
    const cost = (bucketsMax: number): number => padded(planBuckets(examples, { batchSize: 4, bucketsMax }));
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    expect(cost(1)).toBeGreaterThan(1.9 * tokens);
    expect(cost(4)).toBeLessThan(1.4 * tokens);
    for (let k = 2; k <= 6; k++) expect(cost(k)).toBeLessThanOrEqual(cost(k - 1));
  });

  test("divide the examples, hold every one of them, and have two batches each unless there is only one", () => {
    fc.assert(
      fc.property(anyExamples, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 5 }), (examples, B, max) => {
        const buckets = planBuckets(examples, { batchSize: B, bucketsMax: max });
        expect(buckets.length).toBeLessThanOrEqual(max);
        const members = buckets.flatMap((bucket) => bucket.members).toSorted((a, b) => a - b);
        expect(members).toEqual(examples.map((_, i) => i));
        for (const { shape, members: own } of buckets) {
          for (const i of own) expect(examples[i]!.tokens.length).toBeLessThanOrEqual(shape.tokens);
          if (buckets.length > 1) expect(own.length).toBeGreaterThanOrEqual(2 * B);
        }
      }),
    );
  });

  test("are the cheapest there are: against all ways to divide the widths in two", () => {
    fc.assert(
      fc.property(anyExamples, (examples) => {
        const found = padded(planBuckets(examples, { batchSize: 1, bucketsMax: 2 }));
        const width = ({ tokens }: Example): number => Math.ceil(tokens.length / 8) * 8;
        const widest = Math.max(...examples.map(width));
        let least = widest * examples.length;
        for (let limit = 8; limit < widest; limit += 8) {
          const short = examples.filter((example) => width(example) <= limit);
          if (short.length < 2 || examples.length - short.length < 2) continue;
          const longest = Math.max(...short.map(width));
          least = Math.min(least, longest * short.length + widest * (examples.length - short.length));
        }
        // A second bucket is made only where it pays.
        const one = widest * examples.length;
        expect(found).toBe(one - least < SAVING_MIN * one || widest <= WIDTH_UNDIVIDED ? one : least);
      }),
    );
  });

  test("of a very long example are planned as fast: widths are told apart in 256 steps at most", () => {
    const examples = Array.from({ length: 2000 }, (_, i) => ofLength(2 + 8 * i));
    const buckets = planBuckets(examples, { batchSize: 2 });
    expect(buckets).toHaveLength(4);
    expect(padded(buckets)).toBeLessThan(0.65 * padded(planBuckets(examples, { batchSize: 2, bucketsMax: 1 })));
  });

  test("no examples, no batch size, no buckets are refused", () => {
    expect(() => planBuckets([], { batchSize: 1 })).toThrow(/no examples/);
    expect(() => planBuckets(many(1, 2), { batchSize: 0 })).toThrow(/batchSize is 0/);
    expect(() => planBuckets(many(1, 2), { batchSize: 1, bucketsMax: 0 })).toThrow(/buckets is 0/);
  });
});

describe("bucketed batches", () => {
  // 21 short and 9 long examples, each told by its first token.
  const examples = [...Array.from({ length: 21 }, (_, i) => ofLength(5, 1000 + 100 * i))].concat(
    Array.from({ length: 9 }, (_, i) => ofLength(70, 5000 + 100 * i)),
  );
  const buckets = planBuckets(examples, { batchSize: 4 });
  const make = (seed = 3) => createBucketedBatches(examples, { buckets, seed });
  const firsts = ({ batch }: { batch: { inputIds: { data: ArrayLike<number | bigint>; shape: readonly number[] } } }) =>
    Array.from(batch.inputIds.data, Number).filter((_, i) => i % batch.inputIds.shape[1]! === 0);

  test("see every example equally often, however long it is", () => {
    expect(buckets.map(({ members }) => members.length)).toEqual([21, 9]);
    // After 4 passes both buckets' draws come out even: 4 · 21 / 4 and 4 · 9 / 4.
    const batches = make();
    const seen = new Map<number, number>();
    for (let draw = 0; draw < 30; draw++) {
      for (const first of firsts(batches.batchAt(draw))) seen.set(first, (seen.get(first) ?? 0) + 1);
    }
    expect([...seen.values()]).toEqual(new Array(30).fill(4));
  });

  test("hold examples of one bucket only, in that bucket's shape", () => {
    const batches = make();
    for (let draw = 0; draw < 30; draw++) {
      const { bucket, batch } = batches.batchAt(draw);
      expect(batch.inputIds.shape).toEqual([4, buckets[bucket]!.shape.tokens]);
      for (const first of firsts({ batch })) expect(first >= 5000, `draw ${draw}`).toBe(bucket === 1);
    }
  });

  test("depend on seed and draw only, in whatever order draws are asked for", () => {
    const forward = make();
    const all = Array.from({ length: 40 }, (_, draw) => forward.batchAt(draw));
    const resumed = make();
    for (const draw of [39, 3, 0, 17, 8, 9, 2]) expect(resumed.batchAt(draw)).toEqual(all[draw]);
    const other = make(4);
    expect(all.map((_, draw) => other.batchAt(draw).bucket)).not.toEqual(all.map(({ bucket }) => bucket));
  });

  test("of one bucket are those of an undivided data set", () => {
    const [only, ...rest] = planBuckets(examples, { batchSize: 4, bucketsMax: 1 });
    expect(rest).toEqual([]);
    const bucketed = createBucketedBatches(examples, { buckets: [only!], seed: 3 });
    const plain = createBatches(examples, { shape: only!.shape, seed: 3 });
    for (const draw of [0, 5, 11]) expect(bucketed.batchAt(draw)).toEqual({ bucket: 0, batch: plain.batchAt(draw) });
  });
});
