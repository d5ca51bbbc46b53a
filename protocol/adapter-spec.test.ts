import fc from "fast-check";
import { expect, test } from "vitest";
import { adapterSlots, parameterCount } from "./adapter-spec.ts";

test("slots follow one another in the given order", () => {
  const slots = adapterSlots([
    { name: "R", shape: [2, 3] },
    { name: "b", shape: [2] },
    { name: "W", shape: [2, 3] },
  ]);
  expect(slots.map(({ name, offset, length }) => [name, offset, length])).toEqual([
    ["R", 0, 6],
    ["b", 6, 2],
    ["W", 8, 6],
  ]);
});

test("slots cover exactly the flat vector, without gap or overlap", () => {
  const tensor = fc.record({
    name: fc.string(),
    shape: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  });
  fc.assert(
    fc.property(fc.array(tensor, { maxLength: 20 }), (tensors) => {
      let next = 0;
      for (const { offset, length } of adapterSlots(tensors)) {
        expect(offset).toBe(next);
        next += length;
      }
      expect(next).toBe(parameterCount(tensors));
    }),
  );
});

test("LoReFT on Llama-3.2-3B at rank 8, untied, has the published 2,752,960 values (arXiv:2404.03592)", () => {
  const tensors = Array.from({ length: 28 }, (_, layer) =>
    ["prefix", "suffix"].flatMap((side) => [
      { name: `layers.${layer}.${side}.R`, shape: [8, 3072] },
      { name: `layers.${layer}.${side}.W`, shape: [8, 3072] },
      { name: `layers.${layer}.${side}.b`, shape: [8] },
    ]),
  ).flat();
  expect(parameterCount(tensors)).toBe(2_752_960);
});

test("no tensors, no values", () => {
  expect(adapterSlots([])).toEqual([]);
  expect(parameterCount([])).toBe(0);
});
