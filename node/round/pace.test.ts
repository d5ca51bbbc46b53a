import fc from "fast-check";
import { expect, test } from "vitest";
import { deadlineOf, median, observeLag, PACE_LAGS_MAX } from "./pace.ts";

const bounds = { min: 200, max: 30_000 };

test.each([
  ["nothing is known", [], 30_000],
  ["too little is known", [10, 10], 30_000],
  ["everybody is early", [0, 0, 0, 0], 200],
  // median 3000, absolute deviations 1000 1000 0 2000 → MAD 1000
  ["lags spread", [2000, 4000, 3000, 3000, 1000], 3000 + 3 * 1.4826 * 1000],
  ["one straggler does not stretch it", [1000, 1000, 1000, 1000, 30_000], 1000],
  ["half of them are slow", [0, 20_000, 0, 20_000], 30_000],
])("deadline when %s", (_title, lags, expected) => {
  expect(deadlineOf(lags, bounds)).toBeCloseTo(expected, 6);
});

test("the deadline stays within its bounds and the memory within its own, whatever is observed", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -1e12, max: 1e12 }), { maxLength: 200 }), (lags) => {
      const pace = lags.reduce<readonly number[]>((known, lag) => observeLag(known, lag, bounds), []);
      expect(pace.length).toBe(Math.min(lags.length, PACE_LAGS_MAX));
      expect(pace.every((lag) => lag >= 0 && lag <= bounds.max)).toBe(true);
      const deadline = deadlineOf(pace, bounds);
      expect(deadline).toBeGreaterThanOrEqual(bounds.min);
      expect(deadline).toBeLessThanOrEqual(bounds.max);
    }),
    { numRuns: 100 },
  );
});

test("the newest lags are the ones remembered", () => {
  let pace: readonly number[] = [];
  for (let i = 0; i < PACE_LAGS_MAX; i++) pace = observeLag(pace, 5000, bounds);
  for (let i = 0; i < PACE_LAGS_MAX; i++) pace = observeLag(pace, 500, bounds);
  expect(deadlineOf(pace, bounds)).toBe(500);
});

test("the median of nothing is refused", () => {
  expect(() => median([])).toThrow(RangeError);
});
