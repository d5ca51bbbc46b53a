import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Example } from "../interface/trainer.ts";
import { splitHeldOut } from "./held-out.ts";

const examples = (values: readonly number[]): Example[] =>
  values.map((value) => ({ tokens: [1, value], promptLength: 1 }));
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 10);
const keys = (set: readonly Example[]): string[] => set.map(({ tokens }) => tokens.join(" "));

describe("held-out sets", () => {
  test("80 / 10 / 10, every example once, by seed", () => {
    const all = examples(range(100));
    const { train, validation, test: held } = splitHeldOut(all, { seed: 1, batchSize: 4 });
    expect([train.length, validation.length, held.length]).toEqual([80, 10, 10]);
    expect(keys([...train, ...validation, ...held]).sort()).toEqual(keys(all).sort());
    expect(splitHeldOut(all, { seed: 1, batchSize: 4 })).toEqual({ train, validation, test: held });
    expect(splitHeldOut(all, { seed: 2, batchSize: 4 }).test).not.toEqual(held);
  });

  test("each set has at least a batch, also where a tenth is less", () => {
    const { train, validation, test: held } = splitHeldOut(examples(range(24)), { seed: 1, batchSize: 8 });
    expect([train.length, validation.length, held.length]).toEqual([8, 8, 8]);
  });

  test("one example less than three batches is too few: the line says how many there are and how many it takes", () => {
    expect(() => splitHeldOut(examples(range(23)), { seed: 1, batchSize: 8 })).toThrow(
      expect.objectContaining({
        code: "DATA_TOO_SMALL",
        message: expect.stringMatching(
          /^there are 23 examples, 24 are needed: one batch of 8 each .* 7, 8 and 8; give more/,
        ),
      }),
    );
    expect(() => splitHeldOut([], { seed: 1, batchSize: 1 })).toThrow(/there are 0 examples, 3 are needed/);
  });

  test("equal examples never stand in two sets, however often the data repeats itself", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 60, maxLength: 120 }),
        fc.nat(),
        (values, seed) => {
          const sets = splitHeldOut(examples(values), { seed, batchSize: 2 });
          const [train, validation, held] = [sets.train, sets.validation, sets.test].map((set) => new Set(keys(set)));
          for (const key of held!) expect(train!.has(key) || validation!.has(key)).toBe(false);
          for (const key of validation!) expect(train!.has(key)).toBe(false);
          expect(sets.train.length + sets.validation.length + sets.test.length).toBe(values.length);
        },
      ),
    );
  });

  test("data that only repeats itself is too small, and the line says so", () => {
    expect(() => splitHeldOut(examples(Array(50).fill(7)), { seed: 1, batchSize: 2 })).toThrow(
      /there are 50 examples \(1 of them different\)/,
    );
  });
});
