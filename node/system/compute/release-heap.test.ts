import { getHeapStatistics } from "node:v8";
import { expect, it } from "vitest";
import { releaseHeap } from "./release-heap.ts";

it("gives the room of objects back that nobody has any more, and leaves a small heap alone", () => {
  expect(releaseHeap({ worthBytes: Number.POSITIVE_INFINITY })).toBe(false);
  const before = getHeapStatistics().total_heap_size;
  let objects: unknown[] | undefined = Array.from({ length: 400_000 }, (_, i) => ({ i, list: [i] }));
  expect(objects).toHaveLength(400_000);
  const grown = getHeapStatistics().total_heap_size;
  expect(grown).toBeGreaterThan(before + 20e6);
  objects = undefined;
  expect(releaseHeap({ worthBytes: 0 })).toBe(true);
  expect(getHeapStatistics().total_heap_size).toBeLessThan(grown - 20e6);
});
