import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binaryF1, choiceMeasures, matthews, textMeasures, wordF1 } from "./task-measures.ts";

const labels = (classes: number) =>
  fc.array(fc.tuple(fc.nat(classes - 1), fc.nat(classes - 1)), { minLength: 1, maxLength: 40 });

describe("measures of choices", () => {
  it.each([
    // sklearn.metrics 1.7: matthews_corrcoef(golds, chosen), f1_score(golds, chosen)
    [[0, 1, 1, 0, 1], [0, 1, 0, 0, 1], 0.6666666667, 0.8],
    [[1, 1, 1, 0], [0, 0, 1, 1], -0.5773502692, 0.4],
    [[0, 0, 0], [0, 0, 0], 0, 0],
  ])("golds %j, chosen %j: Matthews %d and F1 %d", (golds, chosen, expected, f1) => {
    expect(matthews(golds, chosen)).toBeCloseTo(expected, 9);
    expect(binaryF1(golds, chosen)).toBeCloseTo(f1, 9);
  });

  it("of two classes: Matthews is the correlation of the two columns", () => {
    fc.assert(
      fc.property(labels(2), (pairs) => {
        const [a, b] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)];
        const mean = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0) / list.length;
        const [ma, mb] = [mean(a), mean(b)];
        const covariance = mean(a.map((x, i) => (x - ma) * (b[i]! - mb)));
        const deviations = Math.sqrt(mean(a.map((x) => (x - ma) ** 2)) * mean(b.map((x) => (x - mb) ** 2)));
        expect(matthews(a, b)).toBeCloseTo(deviations < 1e-12 ? 0 : covariance / deviations, 9);
      }),
    );
  });

  it("Matthews of any classes is from -1 to 1, and 1 where all is right and there are two of them at least", () => {
    fc.assert(
      fc.property(labels(4), (pairs) => {
        const golds = pairs.map(([one]) => one);
        expect(
          Math.abs(
            matthews(
              golds,
              pairs.map(([, other]) => other),
            ),
          ),
        ).toBeLessThanOrEqual(1 + 1e-9);
        expect(matthews(golds, golds)).toBeCloseTo(new Set(golds).size > 1 ? 1 : 0, 9);
      }),
    );
  });

  it("acc takes the likeliest, acc_norm the likeliest for its length, the first of equals", () => {
    const items = [
      { logLikelihoods: [-4, -5], lengths: [2, 10], answer: 1 },
      { logLikelihoods: [-3, -3], lengths: [3, 3], answer: 0 },
    ];
    expect(choiceMeasures(items)).toMatchObject({ items: 2, acc: 0.5, accNorm: 1, f1: 0 });
    const three = [{ logLikelihoods: [-1, -2, -3], lengths: [1, 1, 1], answer: 0 }];
    expect(choiceMeasures(three)).not.toHaveProperty("f1");
  });
});

describe("measures of texts", () => {
  it.each([
    ["The cat sat.", "a cat sat", 1],
    ["cat cat", "cat", 2 / 3],
    ["", "the", 1],
    ["dog", "", 0],
    ["blue whale", "whale shark", 0.5],
  ])("F1 of %j for %j is %d, as the script of SQuAD gives", (answer, target, f1) => {
    expect(wordF1(answer, target)).toBeCloseTo(f1, 9);
  });

  it("exact match takes texts as they stand", () => {
    const pairs = [
      ["42", "42"],
      ["42.", "42"],
    ] as const;
    expect(textMeasures(pairs.map(([answer, target]) => ({ answer, target })))).toMatchObject({
      items: 2,
      exactMatch: 0.5,
      f1: 1,
    });
  });
});
