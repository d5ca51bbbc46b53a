import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { heapBytes, releaseHeap } from "./release-heap.ts";

it("leaves a heap alone that has not grown", () => {
  expect(releaseHeap({ since: heapBytes() })).toBe(false);
  expect(releaseHeap({ worthBytes: Number.POSITIVE_INFINITY })).toBe(false);
});

// In a process of its own: what other tests leave in a heap says nothing.
const PROGRAM = `
  import { heapBytes, releaseHeap } from ${JSON.stringify(new URL("./release-heap.ts", import.meta.url).href)};
  const before = heapBytes();
  let objects = Array.from({ length: 400_000 }, (_, i) => ({ i, list: [i] }));
  const grown = heapBytes();
  objects = undefined;
  const did = releaseHeap({ worthBytes: 0 });
  console.log(JSON.stringify({ before, grown, did, after: heapBytes() }));
`;

it("gives the room of objects back that nobody has any more", () => {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", PROGRAM], { encoding: "utf8" });
  expect(stderr).toBe("");
  const { before, grown, did, after } = JSON.parse(stdout);
  expect(did).toBe(true);
  expect(grown).toBeGreaterThan(before + 20e6);
  expect(after).toBeLessThan(grown - 20e6);
});
