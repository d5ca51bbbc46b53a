import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blindFuzz } from "./blind-fuzz.ts";
import { BlockCoverage } from "./coverage.ts";
import { guidedFuzz } from "./guided-fuzz.ts";
import { KnownSignatures } from "./known-signatures.ts";
import { minimalCorpus } from "./minimal-corpus.ts";
import { randomOf } from "./mutate.ts";
import { readTally, tallyTable } from "./tally.ts";

const limits = { executionsMax: 100_000, millisecondsMax: 25_000, bytesMax: 16 };
const seeds = [new Uint8Array(8)];

test("what reaches new code is kept and changed further, so that checks behind each other are passed; blind changes do not", {
  timeout: 120_000,
}, async () => {
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

    // Of a corpus the fewest and shortest inputs are kept that reach what all of them do.
    const inputs = ["xxxxxxxx", "wexxxxxx", "wex", "w", "wef", "wefx"].map((text) => new TextEncoder().encode(text));
    const kept = minimalCorpus(target, inputs, coverage).map((bytes) => new TextDecoder().decode(bytes));
    expect(kept).toEqual(["w", "wex", "wef"]);

    const blind = new BlockCoverage(() => false);
    blind.start();
    const { executions, fault } = guidedFuzz(target, { ...limits, coverage: blind, random: randomOf(7) });
    blind.stop();
    expect([executions >= limits.executionsMax, fault]).toEqual([true, undefined]);
  } finally {
    coverage.stop();
  }
});

test("without coverage, what has an outcome of its own is kept and changed further", async () => {
  const { maze } = await import("./maze.suite.ts");
  const { fault, found, outcomes } = await blindFuzz(
    { name: "maze", seeds, read: maze },
    { ...limits, random: randomOf(7) },
  );
  expect(fault?.error).toBeInstanceOf(TypeError);
  expect(found.length).toBe(3);
  expect([...outcomes]).toEqual(["no w", "no e", "no f", "no t"]);
});

test("a signature is known once the real check has accepted it, and no other is afterwards", () => {
  const [key, message, signature] = [1, 2, 3].map((byte) => Uint8Array.of(byte));
  const signatures = new KnownSignatures((_, [first]) => first === 2 || first === 4);
  expect(signatures.verify(key!, message!, signature!)).toBe(true);
  expect(signatures.verify(key!, Uint8Array.of(5), signature!)).toBe(false);
  signatures.freeze();
  expect(signatures.verify(key!, message!, signature!)).toBe(true);
  expect(signatures.verify(key!, Uint8Array.of(4), signature!)).toBe(false);
});

test("the page says how often each decoder was run, as it was counted", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/FUZZING.md"), "utf8");
  expect(page).toContain(tallyTable(readTally()));
});
