import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { csvOf } from "./csv.ts";
import { pageOf } from "./markdown.ts";
import { materialOf } from "./material.ts";
import { plotsOf } from "./plot.ts";
import { createResultFiles } from "./result-files.ts";
import { runTable, type SuiteResults } from "./run-table.ts";
import { rowsOf } from "./summary-rows.ts";
import { parseTable } from "./table.ts";

const ADAPTER = { kind: "lora", rank: 1, alpha: 2, targets: ["q_proj"], layers: [3] };
const TABLE = parseTable(
  JSON.stringify({
    schema: "weft-evaluation/1",
    methods: [
      { name: "alone", title: "alone", exchange: "none", adapter: ADAPTER, learningRates: [0.01, 0.0001] },
      { name: "all", title: "mean | all", exchange: "all", adapter: ADAPTER, rateOf: "alone" },
    ],
    suites: [
      {
        name: "small",
        title: "Small",
        data: "tasks",
        base: "embedded",
        sizes: { train: 8, validation: 4, test: 4 },
        splits: [{ kind: "mixed" }],
        peers: [2],
        seeds: [1, 2],
        methods: ["alone", "all"],
        rounds: 2,
        localSteps: 1,
        lookEvery: 2,
        training: { batchSize: 4, maxTokens: 40 },
        tuning: { seed: 100, peers: 2, split: "each" },
      },
    ],
  }),
  "t.json",
  () => "",
);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-evaluation-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(
  options: { only?: string; signal?: AbortSignal; stopAfter?: number; learningRates?: Record<string, number[]> } = {},
) {
  const lines: string[] = [];
  const abort = new AbortController();
  const results = await runTable({
    table: { ...TABLE, suites: TABLE.suites.map((suite) => ({ ...suite, learningRates: options.learningRates })) },
    files: createResultFiles(folder),
    materialOf: (suite) => materialOf(suite, { assets: "/nowhere", base: undefined, threads: 1 }, () => undefined),
    signal: abort.signal,
    tell: (line) => {
      lines.push(line);
      if (lines.length === options.stopAfter) abort.abort();
    },
    ...(options.only === undefined ? {} : { only: options.only }),
  });
  return { lines, results };
}

const numbersOf = ([one]: readonly SuiteResults[]) =>
  one!.cells.map(({ result: { seconds: _, ...numbers } }) => numbers);

describe("a table", () => {
  test("stops after the cell at hand, and goes on from there to the same results", async () => {
    const stopped = await run({ stopAfter: 3 });
    expect(stopped.lines).toHaveLength(3);
    const rest = await run();
    // Two rates tried, then two methods on two seeds: six in all.
    expect(rest.lines).toHaveLength(3);
    const again = await run();
    expect(again.lines).toEqual([]);
    expect(numbersOf(again.results)).toEqual(numbersOf(rest.results));
    expect(await readdir(join(folder, "tuning"))).toHaveLength(2);
    expect(await readdir(join(folder, "small"))).toHaveLength(4);

    await rm(join(folder, "small/mixed-n2-s2-all.json"));
    const { lines, results } = await run({ only: "s2" });
    expect(lines).toHaveLength(1);
    expect(numbersOf(results)).toEqual(numbersOf(rest.results).slice(2));
  });

  test("takes the learning rate with the least validation loss", async () => {
    const { results } = await run();
    expect([...results[0]!.learningRates]).toEqual([["alone mixed", { rate: 0.01, isEnd: true }]]);
    expect(results[0]!.cells.every(({ cell }) => cell.learningRate === 0.01)).toBe(true);
    expect([...results[0]!.learningRates]).toHaveLength(1);
  });

  test("takes a suite's own rates in place of the method's", async () => {
    const { lines, results } = await run({ learningRates: { alone: [0.01] } });
    expect(lines).toEqual([]);
    expect([...results[0]!.learningRates]).toEqual([["alone mixed", { rate: 0.01, isEnd: false }]]);
  });

  test("becomes rows, numbers for programs, a page and plots", async () => {
    const { results } = await run();
    const rows = rowsOf(results[0]!);
    expect(rows.map(({ method, seeds }) => [method, seeds])).toEqual([
      ["alone", 2],
      ["all", 2],
    ]);
    const cells = results[0]!.cells.filter(({ cell }) => cell.method.name === "alone").map(({ result }) => result);
    const own = cells.map(({ peers }) => (peers[0]!.own.exactMatch + peers[1]!.own.exactMatch) / 2);
    expect(rows[0]!.own.mean).toBeCloseTo((own[0]! + own[1]!) / 2, 12);
    expect(rows[0]!.own.deviation).toBeCloseTo(Math.abs(own[0]! - own[1]!) / Math.SQRT2, 12);
    expect(rows[0]!.bytesPerRound).toBe(0);
    expect(rows[1]!.bytesPerRound).toBe(rows[1]!.updateBytes);

    const csv = csvOf(rows).trimEnd().split("\r\n");
    expect(csv).toHaveLength(3);
    expect(new Set(csv.map((line) => line.split(",").length)).size).toBe(1);

    const plots = await plotsOf(results[0]!);
    expect(plots.map(({ name }) => name)).toEqual(["small-scores", "small-curves"]);
    for (const { svg } of plots) expect(svg).toMatch(/^<svg[\s\S]*alone[\s\S]*<\/svg>\n$/);
    const page = pageOf({
      results,
      plots,
      claims: [],
      reasons: {},
      notes: "",
      skipped: ["suite x: gone"],
      command: "npm run evaluate",
    });
    expect(page).toContain("| mean \\| all |");
    expect(page).toContain("![Small: answers wholly right, own and others' tasks](small-scores.svg)");
    expect(page).toContain("* suite x: gone");
  });
});

test("a suite whose material is not there is left out with the reason", async () => {
  const reasons: string[] = [];
  const suite = { ...TABLE.suites[0]!, data: "speakers", base: "tinystories-656k" } as const;
  const material = (base: "tinystories-656k" | "named") =>
    materialOf({ ...suite, base }, { assets: "/nowhere", base: undefined, threads: 1 }, (reason) =>
      reasons.push(reason),
    );
  expect(await material("tinystories-656k")).toBeUndefined();
  expect(await material("named")).toBeUndefined();
  expect(reasons).toEqual([
    "suite small: /nowhere/models/tinystories-656k is not there",
    "suite small: it needs a base model; name its directory with --base DIR",
  ]);
});
