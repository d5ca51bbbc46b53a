import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Example } from "../interface/trainer.ts";
import { createBatches, evaluationBatches, fillBatch, planShape } from "./batch.ts";
import { createPackedBatches } from "./pack.ts";

const numbers = (tensor: { readonly data: ArrayLike<number | bigint> }): number[] => Array.from(tensor.data, Number);
const example = (promptLength: number, responseLength: number, first = 100): Example => ({
  tokens: Array.from({ length: promptLength + responseLength }, (_, i) => first + i),
  promptLength,
});
const anyExample = fc
  .record({ prompt: fc.integer({ min: 1, max: 9 }), response: fc.integer({ min: 1, max: 9 }), first: fc.nat(500) })
  .map(({ prompt, response, first }) => example(prompt, response, first + 1));

describe("a batch", () => {
  test("two examples by hand", () => {
    const batch = fillBatch(
      [
        { tokens: [5, 6, 7, 8], promptLength: 2 },
        { tokens: [9, 3], promptLength: 1 },
      ],
      {
        shape: { batchSize: 3, tokens: 5, labels: 6 },
        padId: 0,
      },
    );
    expect(batch.inputIds.shape).toEqual([3, 5]);
    expect(numbers(batch.inputIds)).toEqual([5, 6, 7, 8, 0, 9, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(numbers(batch.promptLengths)).toEqual([2, 1, 1]);
    expect(numbers(batch.labelRows)).toEqual([1, 2, 5, 0, 0, 0]);
    expect(numbers(batch.labelIds)).toEqual([7, 8, 3, 0, 0, 0]);
    expect(numbers(batch.labelWeights)).toEqual([1, 1, 1, 0, 0, 0]);
    expect([batch.exampleCount, batch.labelCount]).toEqual([2, 3]);
  });

  test("the planned shape holds every batch, each label is the next token of its row, weights count responses", () => {
    fc.assert(
      fc.property(
        fc.array(anyExample, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (examples, batchSize) => {
          const shape = planShape(examples, { batchSize });
          expect(shape.tokens % 8).toBe(0);
          const batches = evaluationBatches(examples, { shape, padId: 0 });
          expect(batches.length).toBe(Math.ceil(examples.length / batchSize));
          for (const batch of batches) {
            const flat = numbers(batch.inputIds);
            const rows = numbers(batch.labelRows).slice(0, batch.labelCount);
            expect(numbers(batch.labelIds).slice(0, batch.labelCount)).toEqual(rows.map((row) => flat[row + 1]));
            expect(numbers(batch.labelWeights).reduce((sum, w) => sum + w, 0)).toBe(batch.labelCount);
            expect(flat.length).toBe(batchSize * shape.tokens);
          }
          const labels = batches.reduce((sum, batch) => sum + batch.labelCount, 0);
          expect(labels).toBe(
            examples.reduce((sum, { tokens, promptLength }) => sum + tokens.length - promptLength, 0),
          );
        },
      ),
    );
  });

  test("T is the longest example rounded up to 8, M the batch size times the longest response", () => {
    expect(planShape([example(5, 3), example(1, 2)], { batchSize: 4 })).toEqual({
      batchSize: 4,
      tokens: 8,
      labels: 12,
    });
    expect(planShape([example(5, 4)], { batchSize: 2 })).toEqual({ batchSize: 2, tokens: 16, labels: 8 });
  });

  test("what does not fit is refused", () => {
    const shape = { batchSize: 1, tokens: 8, labels: 3 };
    expect(() => fillBatch([example(6, 3)], { shape, padId: 0 })).toThrow(/9 tokens does not fit/);
    expect(() => fillBatch([example(1, 4)], { shape, padId: 0 })).toThrow(/does not fit/);
    expect(() => fillBatch([example(1, 1), example(1, 1)], { shape, padId: 0 })).toThrow(/2 examples in a batch of 1/);
    expect(() => planShape([{ tokens: [1, 2], promptLength: 2 }], { batchSize: 1 })).toThrow(
      /cannot have a prompt of 2/,
    );
    expect(() => planShape([{ tokens: [1, 2], promptLength: 0 }], { batchSize: 1 })).toThrow(
      /cannot have a prompt of 0/,
    );
    expect(() => planShape([], { batchSize: 1 })).toThrow(/no examples/);
    expect(() => planShape([example(1, 1)], { batchSize: 0 })).toThrow(/batchSize is 0/);
  });
});

describe("training batches", () => {
  const examples = Array.from({ length: 10 }, (_, i) => example(1, 1, 10 * (i + 1)));
  const shape = planShape(examples, { batchSize: 4 });
  const firsts = (batch: { inputIds: { data: ArrayLike<number | bigint> } }): number[] =>
    numbers(batch.inputIds).filter((_, i) => i % shape.tokens === 0);

  test("a pass over the data sees every example once, in another order each time", () => {
    const batches = createBatches(examples, { shape, seed: 7 });
    const seen = Array.from({ length: 10 }, (_, step) => firsts(batches.batchAt(step))).flat();
    const passes = [0, 1, 2, 3].map((pass) => seen.slice(10 * pass, 10 * pass + 10));
    for (const pass of passes) expect(pass.toSorted((a, b) => a - b)).toEqual(examples.map(({ tokens }) => tokens[0]));
    expect(new Set(passes.map(String)).size).toBe(4);
    expect(batches.stepsPerEpoch).toBe(3);
  });

  test("the batch of a step depends on seed and step only, in whatever order steps are asked for", () => {
    const forward = createBatches(examples, { shape, seed: 7 });
    const steps = Array.from({ length: 12 }, (_, step) => forward.batchAt(step));
    const resumed = createBatches(examples, { shape, seed: 7 });
    for (const step of [11, 3, 0, 7, 2]) expect(resumed.batchAt(step)).toEqual(steps[step]);
    const other = createBatches(examples, { shape, seed: 8 });
    expect(steps.map((_, step) => firsts(other.batchAt(step)))).not.toEqual(steps.map(firsts));
  });

  test("fewer examples than a batch are repeated until the batch is full", () => {
    const few = examples.slice(0, 3);
    const batch = createBatches(few, { shape, seed: 1 }).batchAt(0);
    expect(batch.exampleCount).toBe(4);
    expect(new Set(firsts(batch)).size).toBe(3);
  });

  test("no examples, or a step that is no step, are refused", () => {
    expect(() => createBatches([], { shape, seed: 1 })).toThrow(/no examples/);
    expect(() => createBatches(examples, { shape, seed: 1 }).batchAt(-1)).toThrow(/step -1/);
  });
});

describe("examples of which some tokens are not learnt", () => {
  const turns: Example = {
    tokens: [1, 2, 3, 4, 5, 6, 7],
    promptLength: 2,
    learnt: [
      [2, 4],
      [6, 7],
    ],
  };

  test("have labels in the learnt ranges only, beside others and packed", () => {
    const shape = planShape([turns], { batchSize: 2 });
    expect(shape).toEqual({ batchSize: 2, tokens: 8, labels: 6 });
    const batch = fillBatch([turns, turns], { shape, padId: 0 });
    expect(numbers(batch.labelRows)).toEqual([1, 2, 5, 9, 10, 13]);
    expect(numbers(batch.labelIds)).toEqual([3, 4, 7, 3, 4, 7]);
    expect([batch.labelCount, numbers(batch.promptLengths)]).toEqual([6, [2, 2]]);
    const packed = createPackedBatches([turns, example(2, 2)], { batchSize: 2, seed: 1 });
    const labels = packed.batchesAt(0).flatMap((one) => numbers(one.labelIds).slice(0, one.labelCount));
    expect(labels.toSorted((a, b) => a - b)).toEqual([3, 4, 7, 102, 103]);
  });

  test.each([
    [[[3, 4]]],
    [
      [
        [2, 4],
        [3, 5],
      ],
    ],
    [[[2, 8]]],
    [[[2, 2]]],
    [[]],
  ] as [number, number][][][])("ranges %j are refused", (learnt) => {
    expect(() => planShape([{ ...turns, learnt }], { batchSize: 1 })).toThrow(RangeError);
  });
});
