import { describe, expect, it } from "vitest";
import type { Cell, CellResult } from "./cell.ts";
import { cOnlyAim, goesTheWay, noPeerWorse, peerGain } from "./peer-claims.ts";
import type { SuiteResults } from "./run-table.ts";
import type { Split } from "./split.ts";
import type { DeclaredMethod, Suite } from "./table.ts";

const METHODS = [
  { name: "alone", exchange: "none", adapter: { kind: "loreft" } },
  { name: "swarm", exchange: "others", adapter: { kind: "loreft" } },
  { name: "pooled", exchange: "pooled", adapter: { kind: "loreft" } },
  { name: "c", exchange: "others", adapter: { kind: "tri-lora" } },
  { name: "lora", exchange: "all", adapter: { kind: "lora" } },
].map((one) => ({ ...one, title: one.name }) as unknown as DeclaredMethod);

interface Made {
  readonly method: string;
  /** The answers of each peer. */
  readonly whole: readonly string[];
  readonly seed?: number;
  readonly split?: Split;
  readonly bytes?: number;
}

const share = (whole: string): number => Array.from(whole).filter((digit) => digit === "1").length / whole.length;

function resultsOf(rows: readonly Made[]): SuiteResults {
  const suite = { name: "s", data: "tasks" } as unknown as Suite;
  const cells = rows.map(({ method: name, whole, seed = 1, split = { kind: "iid" }, bytes = 1 }) => {
    const method = METHODS.find((one) => one.name === name)!;
    const [common, attack] = [{ suite, method, split, peers: whole.length, seed }, "none" as const];
    const cell: Cell = { ...common, attack, learningRate: 1, tuning: false };
    const peers = whole.map((answers) => {
      const own = { loss: 1 - share(answers), accuracy: 0, exactMatch: share(answers), tokens: 1, whole: answers };
      return { own, others: own, psiOwn: 0, psiOthers: 0, lambdaMean: 0 };
    });
    const rest = { looks: [0, 1], own: [0, 0], ownLosses: [1, 1], others: [0, 0], updateBytes: bytes };
    return { cell, result: { peers, ...rest, seconds: { train: 0, aggregate: 0 } } as unknown as CellResult };
  });
  return { suite, cells, learningRates: new Map() };
}

const ZEROS = "0".repeat(50);
const HALF = "10".repeat(25);
const ONES = "1".repeat(50);

describe("a peer's gain over itself alone", () => {
  it("is the mean of the paired differences, with the interval that their spread gives", () => {
    // d = 1, 0, 0, -1, 1: mean 0.2, s² = 0.7, half = 1.96 sqrt(0.7 / 5).
    const { gain, half } = peerGain("11001", "01010");
    expect(gain).toBeCloseTo(0.2, 12);
    expect(half).toBeCloseTo(0.733364, 5);
  });

  it("has no spread where all answers changed alike", () => {
    expect(peerGain(ZEROS, ONES)).toEqual({ gain: -1, half: 0 });
  });
});

describe("the claim that no peer is worse", () => {
  const of = (swarm: readonly string[]) =>
    noPeerWorse(
      [
        resultsOf([
          { method: "alone", whole: [HALF, HALF] },
          { method: "swarm", whole: swarm },
        ]),
      ],
      {
        swarm: "swarm",
        alone: "alone",
      },
    ).evidence;

  it("looks at each peer, whatever the mean over them", () => {
    expect(of([ONES, ONES]).map(({ holds }) => holds)).toEqual([true]);
    const [mixed] = of([ONES, ZEROS]);
    expect(mixed!.holds).toBe(false);
    expect(mixed!.text).toContain(
      "of 2 peers 1 are better, 1 worse by more than a point, 1 worse beyond their interval",
    );
  });

  it("lets go what the interval allows", () => {
    const [evidence] = of([HALF, `00${HALF.slice(2)}`]);
    expect(evidence!.holds).toBe(true);
    expect(evidence!.text).toContain("1 worse by more than a point, 0 worse beyond");
  });

  it("has no evidence where answers of other test sets would be compared", () => {
    expect(of([ONES.slice(1), ONES.slice(1)])).toEqual([]);
  });
});

it("the way counts the seeds that alone, swarm and one place have in common", () => {
  const rows = [1, 2].flatMap((seed) => [
    { method: "alone", whole: [ZEROS], seed },
    { method: "pooled", whole: [ONES], seed },
  ]);
  const results = resultsOf([
    ...rows,
    { method: "swarm", whole: [HALF], seed: 1 },
    { method: "alone", whole: [ONES], seed: 3 },
  ]);
  const [evidence] = goesTheWay([results], "swarm").evidence;
  expect(evidence).toEqual({ holds: false, text: "s, iid, 1 peers: 50 %, 1 seeds", seeds: 1 });
});

it("the way of each seed stands beside that of their mean", () => {
  const results = resultsOf(
    [ZEROS, HALF].flatMap((swarm, i) => [
      { method: "alone", whole: [ZEROS], seed: i },
      { method: "swarm", whole: [swarm], seed: i },
      { method: "pooled", whole: [ONES], seed: i },
    ]),
  );
  const [evidence] = goesTheWay([results], "swarm").evidence;
  expect(evidence!.text).toBe("s, iid, 1 peers: 25 %, 2 seeds; by seed 0 %, 50 %");
});

describe("C alone", () => {
  const of = (kind: "mixture" | "distinct", whole: string, bytes = 40) =>
    cOnlyAim(
      [
        resultsOf([
          { method: "lora", whole: [HALF], bytes: 40, split: { kind } },
          { method: "c", whole: [whole], bytes: bytes / 40, split: { kind } },
        ]),
      ],
      { cOnly: "c", lora: "lora", name: "aim", mixed: "in some way" },
    ).evidence.map(({ holds }) => holds);

  it("may be 3 points behind on a mixture and not on distinct tasks", () => {
    const behind = `0${HALF.slice(1)}`;
    expect(of("mixture", behind)).toEqual([true]);
    expect(of("distinct", behind)).toEqual([false]);
    expect(of("distinct", HALF)).toEqual([true]);
    expect(of("mixture", ZEROS)).toEqual([false]);
  });

  it("has to save a factor of 40", () => {
    expect(of("mixture", ONES, 41)).toEqual([false]);
  });
});
