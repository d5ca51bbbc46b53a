import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPrng } from "../prng.ts";
import { decodeIndices, encodeIndices, indexBytesMax, riceBits } from "./index-set.ts";
import { largestIndices } from "./largest.ts";

const subset = fc
  .integer({ min: 1, max: 500 })
  .chain((places) =>
    fc.record({
      places: fc.constant(places),
      chosen: fc.uniqueArray(fc.nat({ max: places - 1 }), { maxLength: places }),
    }),
  )
  .map(({ places, chosen }) => ({ places, indices: Uint32Array.from(chosen).sort() }));

describe("places", () => {
  test("read back as they were written, whatever follows them, within the bound", () => {
    fc.assert(
      fc.property(subset, fc.uint8Array({ maxLength: 3 }), ({ places, indices }, tail) => {
        const bytes = encodeIndices(indices, places);
        expect(bytes.length).toBeLessThanOrEqual(indexBytesMax(indices.length, places));
        const read = decodeIndices(Uint8Array.from([...bytes, ...tail]), { count: indices.length, places });
        expect(read).toEqual({ indices, bytesLength: bytes.length });
      }),
    );
  });

  test("have one form: what decodes encodes to the same bytes", () => {
    const bytesAndCount = fc.record({ bytes: fc.uint8Array({ maxLength: 20 }), count: fc.nat({ max: 30 }) });
    let read = 0;
    fc.assert(
      fc.property(bytesAndCount, ({ bytes, count }) => {
        let decoded: ReturnType<typeof decodeIndices>;
        try {
          decoded = decodeIndices(bytes, { count, places: 200 });
        } catch (error) {
          expect(error).toHaveProperty("code", expect.stringMatching(/^PAYLOAD_(LENGTH|INVALID)$/));
          return;
        }
        if (count > 0) read++;
        expect(encodeIndices(decoded.indices, 200)).toEqual(bytes.subarray(0, decoded.bytesLength));
      }),
      { numRuns: 1000 },
    );
    expect(read).toBeGreaterThan(20);
  });

  test.each([0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5])(
    "drawn at random with a share of %d cost at most 0.15 bits each above log2 C(P, k)",
    (share) => {
      const places = 40_000;
      const order = createPrng(1).shuffle(Array.from({ length: places }, (_, i) => i));
      const indices = Uint32Array.from(order.slice(0, share * places)).sort();
      let bits = 0;
      for (let i = 0; i < indices.length; i++) bits += Math.log2((places - i) / (i + 1));
      // The last byte may be filled up with 7 bits.
      expect(8 * encodeIndices(indices, places).length).toBeLessThanOrEqual(bits + 0.15 * indices.length + 7);
    },
  );

  test("lying ones are refused", () => {
    const decode = (bytes: readonly number[], count: number, places: number) =>
      decodeIndices(Uint8Array.from(bytes), { count, places });
    const code = (expected: string) => expect.objectContaining({ code: expected });
    expect(riceBits(1, 3)).toBe(1);
    expect(() => decode([], 1, 3)).toThrow(code("PAYLOAD_LENGTH"));
    expect(() => decode([0xff, 0xff, 0xff], 1, 3)).toThrow(code("PAYLOAD_INVALID"));
    // A one, a zero and a low one: place 3 of 3.
    expect(() => decode([0b1010_0000], 1, 3)).toThrow(code("PAYLOAD_INVALID"));
    expect(() => decode([0b1000_0001], 1, 3)).toThrow(code("PAYLOAD_INVALID"));
    expect(decode([0b1000_0000], 1, 3).indices).toEqual(Uint32Array.of(2));
  });
});

describe("the largest values", () => {
  const float = fc.float({ noNaN: true });
  test("are those that sorting finds, the first of equals, without zeros", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(float, fc.constantFrom(0, 1, -1)), { maxLength: 60 }),
        fc.nat({ max: 70 }),
        (all, k) => {
          const values = Float32Array.from(all);
          const expected = [...values.keys()]
            .filter((i) => values[i] !== 0)
            .sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!) || a - b)
            .slice(0, k)
            .sort((a, b) => a - b);
          expect([...largestIndices(values, k)]).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });
});
