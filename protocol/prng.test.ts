import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPrng, type Prng } from "./prng.ts";

const take = (n: number, draw: () => number): number[] => Array.from({ length: n }, draw);
const at = (seed: number, path: readonly string[]): Prng =>
  path.reduce((prng, name) => prng.fork(name), createPrng(seed));

describe("golden numbers, from an independent implementation in Python", () => {
  test.each([
    [0, [], [3200663662, 826284690, 2232460038, 1588088563, 3148764306]],
    [42, [], [3100367601, 3803944882, 766692431, 4009692840, 646608006]],
    [42, ["adapter"], [2979701482, 144853828, 2135168618, 70532936, 3272077419]],
    [Number.MAX_SAFE_INTEGER, ["a", "b"], [86496460, 3939317122, 2729961833, 1253498441, 742536667]],
  ])("seed %d, forks %j", (seed, path, expected) => {
    const prng = at(seed, path);
    expect(take(5, prng.uint32)).toEqual(expected);
  });

  test("uniform, normal, below and shuffle of seed 42", () => {
    expect(take(2, createPrng(42).uniform)).toEqual([0.7218605867451051, 0.1785094956575286]);
    expect(createPrng(42).normal()).toBe(-0.6255422526827363);
    const prng = createPrng(42);
    expect(take(10, () => prng.below(10))).toEqual([1, 2, 1, 0, 6, 9, 3, 1, 7, 4]);
    expect(createPrng(42).shuffle([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])).toEqual([5, 2, 3, 9, 8, 0, 6, 7, 4, 1]);
  });

  test("below skips what would bias it", () => {
    const prng = createPrng(7);
    expect(take(4, () => prng.below(3_000_000_001))).toEqual([658516274, 877809116, 226188086, 1472555848]);
  });
});

test("fill draws what as many single draws would, and the stream goes on behind them", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat(20), { maxLength: 5 }), (seed, lengths) => {
      const [one, many] = [createPrng(seed), createPrng(seed)];
      for (const length of lengths) {
        const out = new Uint32Array(length);
        many.fill(out);
        expect([...out]).toEqual(take(length, one.uint32));
        expect(many.uint32()).toBe(one.uint32());
      }
    }),
  );
});

test("a fork does not depend on what was drawn before", () => {
  const fresh = createPrng(5).fork("x").uint32();
  const used = createPrng(5);
  take(100, used.normal);
  expect(used.fork("x").uint32()).toBe(fresh);
  expect(createPrng(5).fork("y").uint32()).not.toBe(fresh);
});

describe("statistics of 100,000 numbers", () => {
  const n = 100_000;
  const moments = (xs: readonly number[]) => {
    const mean = xs.reduce((a, b) => a + b, 0) / n;
    return { mean, variance: xs.reduce((a, b) => a + (b - mean) ** 2, 0) / n };
  };

  /** Distribution function of the sum of 12 uniforms: sum over k up to x of (-1)^k C(12, k) (x - k)^12 / 12!. */
  const irwinHall = (x: number): number => {
    let [sum, term] = [0, 1 / 479_001_600];
    for (let k = 0; k <= x; k++) {
      sum += term * (x - k) ** 12;
      term *= -(12 - k) / (k + 1);
    }
    return sum;
  };

  // The bounds are five standard errors: sqrt(variance / n) of the mean, sqrt((kurtosis - 1) / n) of the variance.
  test("uniform has mean 1/2 and variance 1/12", () => {
    const xs = take(n, createPrng(1).uniform);
    const { mean, variance } = moments(xs);
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(variance * 12 - 1)).toBeLessThan(5 * Math.sqrt(0.8 / n));
    expect(xs.every((x) => x >= 0 && x < 1)).toBe(true);
  });

  test("normal has mean 0, variance 1 and the shares of twelve uniforms", () => {
    const xs = take(n, createPrng(2).normal);
    const { mean, variance } = moments(xs);
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(1.9 / n));
    for (const width of [0.5, 1, 2, 3]) {
      const expected = irwinHall(6 + width) - irwinHall(6 - width);
      const found = xs.filter((x) => Math.abs(x) < width).length / n;
      expect(Math.abs(found - expected), `|x| < ${width}`).toBeLessThan(5 * Math.sqrt((expected * (1 - expected)) / n));
    }
  });

  test("below fills its buckets evenly", () => {
    const prng = createPrng(3);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < n; i++) counts[prng.below(7)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - n / 7) ** 2 / (n / 7), 0);
    // 6 degrees of freedom: 22.5 is passed once in a thousand seeds.
    expect(chiSquare).toBeLessThan(22.5);
  });

  test("two forks are not correlated", () => {
    const [a, b] = [createPrng(4).fork("a"), createPrng(4).fork("b")];
    const products = take(n, () => a.normal() * b.normal());
    expect(Math.abs(moments(products).mean)).toBeLessThan(5 / Math.sqrt(n));
  });
});

test("shuffle gives a permutation and leaves its argument alone", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 50 }), fc.nat(), (items, seed) => {
      const before = [...items];
      const shuffled = createPrng(seed).shuffle(items);
      expect(items).toEqual(before);
      expect(shuffled.toSorted((a, b) => a - b)).toEqual(items.toSorted((a, b) => a - b));
    }),
  );
});

test("below covers its ends", () => {
  expect(createPrng(1).below(1)).toBe(0);
  const prng = createPrng(1);
  expect(prng.below(2 ** 32)).toBe(createPrng(1).uint32());
});

test.each([-1, 0.5, Number.NaN, 2 ** 53])("seed %d is refused", (seed) => {
  expect(() => createPrng(seed)).toThrow(RangeError);
});
