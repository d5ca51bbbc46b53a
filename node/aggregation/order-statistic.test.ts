import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { selectInPlace } from "./order-statistic.ts";

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
