import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPrng } from "../prng.ts";
import { decodeInt8, encodeInt8, INT8_ROW_MIN, int8Bytes, type RowRun } from "./int8.ts";

const float = fc.float({ noNaN: true, noDefaultInfinity: true });
const rowOf = (length: number): readonly RowRun[] => [{ rows: 1, length }];
const roundTrip = (values: Float32Array, runs: readonly RowRun[], seed = 0) =>
  decodeInt8(encodeInt8(values, runs, createPrng(seed)), runs);

describe("a row", () => {
  test("is off by less than its scale in every value, for any finite floats", () => {
    fc.assert(
      fc.property(fc.array(float, { minLength: 2, maxLength: 40 }), fc.nat({ max: 1000 }), (numbers, seed) => {
        const values = Float32Array.from(numbers);
        const read = roundTrip(values, rowOf(values.length), seed);
        const largest = Math.max(...values.map(Math.abs));
        // One part in 2^22 for the float32 digits of the scale and of the product.
        const bound = largest < INT8_ROW_MIN ? INT8_ROW_MIN : (largest / 127) * (1 + 2 ** -16);
        for (const [i, x] of values.entries()) expect(Math.abs(read[i]! - x)).toBeLessThanOrEqual(bound);
      }),
      { numRuns: 500 },
    );
  });

  test("is right on average: the mean of many draws is within 5 standard errors of every value", () => {
    const values = Float32Array.from({ length: 64 }, (_, i) => Math.sin(3 * i) * 0.01);
    const draws = 4000;
    const sums = new Float64Array(values.length);
    for (let seed = 0; seed < draws; seed++) {
      for (const [i, x] of roundTrip(values, rowOf(64), seed).entries()) sums[i]! += x;
    }
    const scale = Math.max(...values.map(Math.abs)) / 127;
    // A draw is a Bernoulli variable times the scale: its variance is at most scale^2 / 4.
    const bound = (5 * scale) / 2 / Math.sqrt(draws);
    for (const [i, x] of values.entries()) expect(Math.abs(sums[i]! / draws - x), `value ${i}`).toBeLessThan(bound);
  });

  test("is the same for the same seed, and draws nothing that is not needed", () => {
    const values = Float32Array.from({ length: 100 }, (_, i) => Math.cos(i));
    const runs = [{ rows: 10, length: 10 }];
    expect(encodeInt8(values, runs, createPrng(5))).toEqual(encodeInt8(values, runs, createPrng(5)));
    expect(encodeInt8(values, runs, createPrng(5))).not.toEqual(encodeInt8(values, runs, createPrng(6)));
  });

  test("of zeros stays zeros, and one value by itself keeps every bit", () => {
    expect([...roundTrip(new Float32Array(4), rowOf(4))]).toEqual([0, 0, 0, 0]);
    const alone = Float32Array.of(0.1, -3e38, 1e-42);
    expect(roundTrip(alone, [{ rows: 3, length: 1 }])).toEqual(alone);
  });

  test("takes one byte a value and four for its scale", () => {
    expect(int8Bytes([{ rows: 3, length: 8 }, ...rowOf(5), { rows: 2, length: 1 }])).toBe(3 * 12 + 9 + 8);
  });
});

describe("a row that nobody writes is refused", () => {
  const row = (scale: number, ...codes: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(4 + codes.length);
    const view = new DataView(bytes.buffer);
    view.setFloat32(0, scale, true);
    for (const [i, code] of codes.entries()) view.setInt8(4 + i, code);
    return bytes;
  };
  test.each([
    ["a code below -127", row(1, -128, 127), "PAYLOAD_INVALID"],
    ["no largest code", row(1, 126, -126), "PAYLOAD_INVALID"],
    ["a scale without codes", row(1, 0, 0), "PAYLOAD_INVALID"],
    ["codes without a scale", row(0, 127, 0), "PAYLOAD_INVALID"],
    ["minus zero as a scale", row(-0, 0, 0), "PAYLOAD_INVALID"],
    ["a negative scale", row(-1, 127, 0), "PAYLOAD_INVALID"],
    ["a scale too small for its digits", row(2 ** -140, 127, 0), "PAYLOAD_INVALID"],
    ["NaN", row(Number.NaN, 127, 0), "VALUE_NOT_FINITE"],
    ["infinity", row(Number.POSITIVE_INFINITY, 0, 0), "VALUE_NOT_FINITE"],
    ["a scale whose product is infinite", row(3e38, 127, 0), "VALUE_NOT_FINITE"],
  ])("%s", (_, bytes, code) => {
    expect(() => decodeInt8(bytes, rowOf(2))).toThrow(expect.objectContaining({ code }));
  });
});
