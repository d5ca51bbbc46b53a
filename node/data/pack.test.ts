import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Example } from "../interface/trainer.ts";
import { createBatches, planShape } from "./batch.ts";
import { createPackedBatches } from "./pack.ts";

const ofLength = (length: number, promptLength: number, first: number): Example => ({
  tokens: Array.from({ length }, (_, i) => first + i),
  promptLength,
});
const anyExamples = fc.array(
  fc
    .tuple(fc.integer({ min: 2, max: 60 }), fc.nat(), fc.integer({ min: 1, max: 900 }))
    .map(([length, prompt, first]) => ofLength(length, 1 + (prompt % (length - 1)), first)),
  { minLength: 1, maxLength: 40 },
);
const numbers = ({ data }: { readonly data: ArrayLike<unknown> }): number[] => Array.from(data, Number);

describe("packed batches", () => {
  test("hold the examples of a draw, each once and whole, with its own positions and its labels", () => {
    fc.assert(
      fc.property(anyExamples, fc.integer({ min: 1, max: 9 }), (examples, batchSize) => {
        const { shape, batchesAt } = createPackedBatches(examples, { batchSize, seed: 5 });
        const plain = createBatches(examples, { shape: planShape(examples, { batchSize }), seed: 5 });
        for (const draw of [0, 3]) {
          const found: string[] = [];
          for (const batch of batchesAt(draw)) {
            const { positions, segments, spans } = batch.packing!;
            const [ids, prompts] = [numbers(batch.inputIds), numbers(batch.promptLengths)];
            expect(batch.inputIds.shape).toEqual([shape.rows, shape.tokens]);
            expect(prompts).toHaveLength(batchSize);
            const labels: number[][] = [];
            const taken = new Set<number>();
            for (const [i, { start, length }] of spans.entries()) {
              const tokens = ids.slice(start, start + length);
              found.push(`${tokens} after ${prompts[i]}`);
              expect(Math.floor(start / shape.tokens)).toBe(Math.floor((start + length - 1) / shape.tokens));
              expect(numbers(positions).slice(start, start + length)).toEqual(tokens.map((_, t) => t));
              expect(new Set(numbers(segments).slice(start, start + length))).toEqual(new Set([i + 1]));
              for (let t = prompts[i]!; t < length; t++) labels.push([start + t - 1, tokens[t]!]);
              for (let t = 0; t < length; t++) taken.add(start + t);
            }
            const weights = numbers(batch.labelWeights);
            const kept = numbers(batch.labelRows).flatMap((row, m) =>
              weights[m] === 1 ? [[row, numbers(batch.labelIds)[m]!]] : [],
            );
            expect(kept).toEqual(labels);
            expect(batch.labelCount).toBe(labels.length);
            const rest = numbers(segments).filter((_, at) => !taken.has(at));
            expect(new Set(rest).size === 0 || Math.max(...rest) === 0).toBe(true);
          }
          const wanted = plain.examplesAt(draw).map(({ tokens, promptLength }) => `${tokens} after ${promptLength}`);
          expect(found.toSorted()).toEqual(wanted.toSorted());
        }
      }),
      { numRuns: 60 },
    );
  });

  test("take fewer tokens than padded ones", () => {
    const examples = Array.from({ length: 64 }, (_, i) => ofLength(10 + ((7 * i) % 54), 4, i));
    const { shape, batchesAt } = createPackedBatches(examples, { batchSize: 8, seed: 1 });
    const packed = Array.from({ length: 8 }, (_, draw) => batchesAt(draw).length * shape.rows * shape.tokens);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const real = sum(examples.map(({ tokens }) => tokens.length));
    expect(sum(packed)).toBeLessThan(0.8 * 64 * 64);
    expect(sum(packed)).toBeLessThan(1.35 * real);
  });

  test("are one row each where no two examples fit together", () => {
    const { shape, batchesAt } = createPackedBatches([ofLength(9, 2, 1)], { batchSize: 3, seed: 1 });
    expect(shape).toEqual({ rows: 3, tokens: 16, labels: 21, examples: 3 });
    expect(batchesAt(0)).toHaveLength(1);
  });
});
