import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { selectByWeightInPlace, selectInPlace } from "./order-statistic.ts";

const values = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: 0, max: 3 })), {
  minLength: 1,
  maxLength: 40,
});

/** Values of which every pivot splits off only itself and one smaller: the two smallest left are put where it looks. */
function killer(count: number): Float64Array {
  const values = new Float64Array(count);
  const origin = Array.from({ length: count }, (_, i) => i);
  for (let low = 0; low < count; low += 2) {
    const middle = (low + count - 1) >> 1;
    values[origin[low]!] = low;
    if (low + 1 >= count) break;
    values[origin[middle === low ? low + 1 : middle]!] = low + 1;
    [origin[low + 1], origin[middle]] = [origin[middle]!, origin[low + 1]!];
  }
  return values;
}

describe("selectInPlace", () => {
  it("finds what sorting finds, and parts the values around it", () => {
    fc.assert(
      fc.property(values, fc.nat(), (list, at) => {
        const k = at % list.length;
        const column = Float64Array.from(list);
        const sorted = Float64Array.from(list).sort();
        expect(selectInPlace(column, k) === sorted[k]).toBe(true);
        expect(column[k] === sorted[k]).toBe(true);
        expect(column.subarray(0, k).every((x) => x <= column[k]!)).toBe(true);
        expect(column.subarray(k).every((x) => x >= column[k]!)).toBe(true);
        expect(column.sort()).toEqual(sorted);
      }),
    );
  });

  it("goes on from where it was", () => {
    const column = Float64Array.of(5, 1, 4, 2, 3, 0);
    expect([selectInPlace(column, 1), selectInPlace(column, 4, 1)]).toEqual([1, 4]);
    expect(() => selectInPlace(column, 0, 1)).toThrow(RangeError);
    expect(() => selectInPlace(column, 6)).toThrow(RangeError);
  });

  it("sorts values that were chosen to slow it down, and no others", () => {
    const sort = vi.spyOn(Object.getPrototypeOf(Float64Array.prototype) as Float64Array, "sort");
    const prng = createPrng(1);
    const cases: [Float64Array, number][] = [
      [killer(2000), 1],
      [new Float64Array(2000).fill(1), 0],
      [Float64Array.from({ length: 2000 }, (_, i) => -i), 0],
      [Float64Array.from({ length: 2000 }, () => prng.normal()), 0],
    ];
    for (const [column, sorts] of cases) {
      const largest = column.reduce((a, b) => Math.max(a, b));
      sort.mockClear();
      expect(selectInPlace(column, 1999)).toBe(largest);
      expect(sort).toHaveBeenCalledTimes(sorts);
    }
    sort.mockRestore();
  });
});

describe("selectByWeightInPlace", () => {
  it("finds where the weights, added in rising order of values, reach the target", () => {
    const weight = fc.integer({ min: 1, max: 4 });
    const weighed = fc.array(fc.tuple(fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: 0, max: 3 })), weight), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(weighed, fc.integer({ min: 0, max: 130 }), (pairs, target) => {
        const upTo = (bound: number): number => pairs.reduce((sum, [x, w]) => (x <= bound ? sum + w : sum), 0);
        const all = pairs.map(([x]) => x);
        const reaching = all.filter((x) => upTo(x) >= target);
        const expected = reaching.length > 0 ? Math.min(...reaching) : Math.max(...all);
        const values = Float64Array.from(all);
        const weights = Float64Array.from(pairs, ([, w]) => w);
        expect(selectByWeightInPlace(values, weights, target) === expected).toBe(true);
        const paired = Array.from(values, (x, i) => `${x} ${weights[i]}`).sort();
        expect(paired).toEqual(pairs.map(([x, w]) => `${x} ${w}`).sort());
      }),
      { numRuns: 300 },
    );
  });

  it("sorts values that were chosen to slow it down, and no others", () => {
    const sort = vi.spyOn(Array.prototype, "sort");
    const sorts = (column: Float64Array): number => {
      const weights = column.map((_, i) => 1 + (i % 2));
      sort.mockClear();
      const value = selectByWeightInPlace(column, weights, 3000);
      const calls = sort.mock.calls.length;
      expect(value).toBe(column.reduce((a, b) => Math.max(a, b)));
      return calls;
    };
    const found = [killer(2000), Float64Array.from({ length: 2000 }, (_, i) => 2000 - i)].map(sorts);
    sort.mockRestore();
    expect(found).toEqual([1, 0]);
  });

  it("refuses nothing to choose from", () => {
    expect(() => selectByWeightInPlace(new Float64Array(), new Float64Array(), 1)).toThrow(RangeError);
    expect(() => selectByWeightInPlace(new Float64Array(2), new Float64Array(1), 1)).toThrow(RangeError);
  });
});
