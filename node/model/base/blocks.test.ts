import fc from "fast-check";
import { expect, it } from "vitest";
import { BLOCK, blocksOf, inBlocks, integerBytes, outOfBlocks } from "./blocks.ts";

const size = fc.integer({ min: 1, max: 70 });

it.each([
  [4, 8, 7],
  [8, 127, 127],
] as const)("of %d bits are the nearest multiples of each block's scale", (bits, steps, largest) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), size, fc.nat(), (rows, columns, seed) => {
      const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + 7 * i) * (i % 5));
      const blocks = inBlocks(values, columns, bits);
      expect(blocks.integers.length).toBe(integerBytes(rows, columns, bits));
      const found = outOfBlocks(blocks, columns, bits);
      for (const [i, value] of values.entries()) {
        const [row, column] = [Math.floor(i / columns), i % columns];
        const block = values.slice(
          row * columns + BLOCK * Math.floor(column / BLOCK),
          Math.min((row + 1) * columns, row * columns + BLOCK * (Math.floor(column / BLOCK) + 1)),
        );
        const most = block.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
        const scale = Math.abs(blocks.scales[row * blocksOf(columns) + Math.floor(column / BLOCK)]!);
        expect(scale).toBeCloseTo(most === 0 ? 1 : most / steps, 6);
        // Of 4 bits the range has one step less on the side away from the largest value.
        const off = bits === 4 && Math.abs(value) > (largest + 0.5) * scale ? 1.001 : 0.501;
        expect(Math.abs(value - found[i]!)).toBeLessThanOrEqual(off * scale);
      }
    }),
  );
});

it("of 4 bits meet the largest value exactly, with the first of two values in the lower half of a byte", () => {
  const values = Float32Array.of(-8, 1, 7, ...new Array(29).fill(0));
  const { scales, integers } = inBlocks(values, 32, 4);
  expect([...scales]).toEqual([1]);
  expect([...integers.slice(0, 2)]).toEqual([0x18, 0x07]);
  expect([...outOfBlocks({ scales, integers }, 32, 4)]).toEqual([...values]);
});
