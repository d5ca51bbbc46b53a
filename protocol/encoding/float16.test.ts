import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeFloat16, encodeFloat16, FLOAT16_MAX } from "./float16.ts";

/** By the definition of binary16, in f64. */
function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
  return exponent === 0 ? sign * 2 ** -14 * (fraction / 1024) : sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}
const bytesOf = (half: number): Uint8Array => Uint8Array.of(half & 255, half >> 8);
const finite = Array.from({ length: 65_536 }, (_, half) => half).filter((half) => (half & 0x7c00) !== 0x7c00);

test("every finite half decodes to its value and encodes to itself", () => {
  for (const half of finite) {
    const values = decodeFloat16(bytesOf(half));
    if (!Object.is(values?.[0], halfValue(half))) expect(values, `half ${half}`).toEqual([halfValue(half)]);
    const again = encodeFloat16(values!);
    if (again[0]! + 256 * again[1]! !== half) expect(again, `half ${half}`).toEqual(bytesOf(half));
  }
});

test("NaN and infinity are not values", () => {
  for (const half of [0x7c00, 0xfc00, 0x7c01, 0x7e00, 0xffff]) expect(decodeFloat16(bytesOf(half))).toBeUndefined();
});

test("the nearest half is taken, of two the even one, and the largest for what is beyond", () => {
  const positive = finite.filter((half) => half < 0x8000).map(halfValue);
  for (let i = 0; i + 1 < positive.length; i += 37) {
    const [low, high] = [positive[i]!, positive[i + 1]!];
    const middle = (low + high) / 2;
    const even = i % 2 === 0 ? low : high;
    const near = Float32Array.of(middle, middle * (1 - 2 ** -20), middle * (1 + 2 ** -20), -middle);
    expect([...decodeFloat16(encodeFloat16(near))!], `between ${low} and ${high}`).toEqual([even, low, high, -even]);
  }
  expect([...decodeFloat16(encodeFloat16(Float32Array.of(65_519, 65_520, -3e38)))!]).toEqual([
    FLOAT16_MAX,
    FLOAT16_MAX,
    -FLOAT16_MAX,
  ]);
});

test("the error is at most 2^-11 of a value, or 2^-25", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, min: -FLOAT16_MAX, max: FLOAT16_MAX }), (x) => {
      const [read] = decodeFloat16(encodeFloat16(Float32Array.of(x)))!;
      expect(Math.abs(read! - x)).toBeLessThanOrEqual(Math.max(2 ** -11 * Math.abs(x), 2 ** -25));
    }),
    { numRuns: 2000 },
  );
});
