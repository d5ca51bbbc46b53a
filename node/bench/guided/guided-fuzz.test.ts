import { expect, test } from "vitest";
import { BlockCoverage } from "./coverage.ts";
import { guidedFuzz } from "./guided-fuzz.ts";
import { randomOf } from "./mutate.ts";

const limits = { executionsMax: 100_000, millisecondsMax: 25_000, bytesMax: 16 };
const seeds = [new Uint8Array(8)];

test("what reaches new code is kept and changed further, so that checks behind each other are passed; blind changes do not", async () => {
  const coverage = new BlockCoverage((url) => url.includes("maze.suite"));
  coverage.start();
  try {
    const { maze } = await import("./maze.suite.ts");
    const target = { name: "maze", seeds, read: maze };
    const guided = guidedFuzz(target, { ...limits, coverage, random: randomOf(7) });
    expect(guided.fault?.error).toBeInstanceOf(TypeError);
    expect(new TextDecoder().decode(guided.fault?.bytes.subarray(0, 4))).toBe("weft");
    expect(guided.found.length).toBeGreaterThanOrEqual(3);
    expect(guided.reached.byAll).toBeGreaterThan(guided.reached.bySeeds);

    const blind = new BlockCoverage(() => false);
    blind.start();
    const { executions, fault } = guidedFuzz(target, { ...limits, coverage: blind, random: randomOf(7) });
    blind.stop();
    expect([executions >= limits.executionsMax, fault]).toEqual([true, undefined]);
  } finally {
    coverage.stop();
  }
});
