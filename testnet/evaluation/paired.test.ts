import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Cell, CellResult } from "./cell.ts";
import { csvOf } from "./csv.ts";
import { pageOf } from "./markdown.ts";
import { pairedGain } from "./paired.ts";
import type { SuiteResults } from "./run-table.ts";
import { rowsOf } from "./summary-rows.ts";
import type { DeclaredMethod, Suite } from "./table.ts";

const LORA = { kind: "lora" } as const;
const METHODS = [
  { name: "alone", exchange: "none", adapter: LORA },
  { name: "swarm", exchange: "others", adapter: LORA },
  { name: "pooled", exchange: "pooled", adapter: LORA },
  { name: "other", exchange: "others", adapter: { kind: "loreft" } },
].map((one) => ({ ...one, title: one.name }) as unknown as DeclaredMethod);

/** Own accuracy of each method, one for each seed, of every peer alike unless `peers` says more. */
function resultsOf(
  owns: Readonly<Record<string, readonly number[]>>,
  attacks?: Suite["attacks"],
  liar?: number,
): SuiteResults {
  const suite = {
    name: "s",
    title: "S",
    data: "tasks",
    base: "embedded",
    sizes: { train: 1, validation: 1, test: 1 },
    splits: [{ kind: "iid" }],
    peers: [2],
    methods: Object.keys(owns),
    seeds: [1, 2, 3],
    attacks,
  } as unknown as Suite;
  const cells = Object.entries(owns).flatMap(([name, values]) =>
    values.map((own, i) => {
      const method = METHODS.find((one) => one.name === name)!;
      const cell: Cell = {
        suite,
        method,
        split: { kind: "iid" },
        peers: 2,
        seed: i + 1,
        attack: "none",
        learningRate: 1,
        tuning: false,
      };
      const peer = (value: number) => {
        const scores = { loss: 1, accuracy: value, exactMatch: value, tokens: 1 };
        return { own: scores, others: scores, psiOwn: 0, psiOthers: 0, lambdaMean: 0 };
      };
      const result = {
        peers: [peer(own), peer(liar ?? own)],
        looks: [0, 1],
        own: [0, own],
        ownLosses: [1, 1],
        others: [0, 0],
        trainedParameters: 1,
        sentParameters: 1,
        updateBytes: 1,
        seconds: { train: 1, aggregate: 1, evaluate: 1 },
      } as unknown as CellResult;
      return { cell, result };
    }),
  );
  return { suite, cells, learningRates: new Map() };
}

const rowOf = (results: SuiteResults, name: string) => rowsOf(results).find(({ method }) => method === name)!;

describe("a paired gain", () => {
  it.each([
    // Worked out by hand from the quantiles that scipy.stats.t.ppf(0.975, n - 1) gives.
    [[1, 2, 3], 2, 2.4841377],
    [[0.5, -0.5, 1, 0], 0.25, 1.02713],
  ])("of %j has the mean %d and Student's half interval %d", (differences, mean, half) => {
    const gain = pairedGain(differences);
    expect(gain.mean).toBeCloseTo(mean, 9);
    expect(gain.half).toBeCloseTo(half, 5);
  });

  it("has no interval below three seeds", () => {
    expect(pairedGain([1])).toEqual({ mean: 1 });
    expect(pairedGain([1, 2])).toEqual({ mean: 1.5 });
    expect(pairedGain([1, 2, 1, 2], 2)).toEqual({ mean: 1.5 });
  });

  it("moves with what is added to all differences, and its interval stays", () => {
    const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 20 });
    fc.assert(
      fc.property(values, fc.double({ min: -1, max: 1, noNaN: true }), (differences, by) => {
        const [a, b] = [pairedGain(differences), pairedGain(differences.map((one) => one + by))];
        expect(b.mean - a.mean).toBeCloseTo(by, 9);
        expect(b.half).toBeCloseTo(a.half!, 9);
      }),
    );
  });
});

describe("a row", () => {
  const results = resultsOf({
    alone: [0.2, 0.3, 0.4],
    swarm: [0.35, 0.4, 0.6],
    pooled: [0.5, 0.6, 0.7],
    other: [1, 1, 1],
  });

  it("has its gain over alone peer by peer and seed by seed, and its share of the way", () => {
    const { gain, way } = rowOf(results, "swarm");
    expect(gain!.mean).toBeCloseTo(0.15, 9);
    // 0.15, 0.1 and 0.2, of two peers each: a sum of squares of 0.01, 5 degrees of freedom.
    expect(gain!.half).toBeCloseTo(2.570582 * Math.sqrt(0.01 / 5 / 6), 6);
    expect(way).toBeCloseTo(0.5, 9);
  });

  it("is compared with the same kind of adapter only, and alone with nothing", () => {
    expect(rowOf(results, "other")).not.toHaveProperty("gain");
    expect(rowOf(results, "alone")).not.toHaveProperty("gain");
    expect(rowOf(results, "pooled").gain!.mean).toBeCloseTo(0.3, 9);
    expect(rowOf(results, "pooled")).not.toHaveProperty("way");
  });

  it("has no way where one place is no better than alone", () => {
    expect(rowOf(resultsOf({ alone: [0.5], swarm: [0.6], pooled: [0.51] }), "swarm")).not.toHaveProperty("way");
  });

  it("leaves out the peer that lies in the other columns, where there are such", () => {
    const owns = { swarm: [0.4] };
    expect(rowOf(resultsOf(owns, ["none", "scaling"], 0.8), "swarm").own.mean).toBeCloseTo(0.4, 9);
    expect(rowOf(resultsOf(owns, undefined, 0.8), "swarm").own.mean).toBeCloseTo(0.6, 9);
  });
});

describe("the page and the numbers", () => {
  const page = (results: SuiteResults): string =>
    pageOf({ results: [results], plots: [], claims: [], reasons: {}, skipped: [], notes: "", command: "c" });
  const three = resultsOf({ alone: [0.2, 0.3, 0.4], swarm: [0.35, 0.4, 0.6], pooled: [0.5, 0.6, 0.7] });
  const two = resultsOf({ alone: [0.2, 0.3], swarm: [0.35, 0.4], pooled: [0.5, 0.6] });
  const line = (results: SuiteResults): string =>
    page(results)
      .split("\n")
      .find((one) => one.startsWith("| swarm "))!;

  it("print a spread and an interval from three seeds on only", () => {
    expect(line(three)).toContain("| 45.0 ± 13.2 % | +15.0 [+10.3, +19.7] | 50 % (50, 33, 67) |");
    expect(line(two)).toContain("| 37.5 % | +12.5 | 42 % (50, 33) |");
    expect(line(two)).not.toContain("±");
  });

  it("say what the table asks for and nobody computed", () => {
    expect(page(two)).toContain(
      "## What is missing?\n\n* s, iid, 2 peers: alone (seeds 3), swarm (seeds 3), pooled (seeds 3)",
    );
    expect(page(three)).not.toContain("missing");
  });

  it("stand in the file for programs", () => {
    const [header, , swarm] = csvOf(rowsOf(two))
      .split("\r\n")
      .map((one) => one.split(","));
    const cell = (name: string) => swarm![header!.indexOf(name)];
    expect([cell("gain"), cell("gainHalfInterval"), cell("ownDeviation")]).toEqual(["0.125", "", ""]);
    expect(Number(cell("way"))).toBeCloseTo(0.41667, 4);
  });
});
