import { describe, expect, test } from "vitest";
import type { Cell, CellResult } from "./cell.ts";
import { CLAIM_METHODS, checkClaims } from "./claims.ts";
import { forgetting, METRICS } from "./metric.ts";
import type { SuiteResults } from "./run-table.ts";
import type { DeclaredMethod, Suite } from "./table.ts";

interface Made {
  readonly method: string;
  readonly own: number;
  readonly loss?: number;
  readonly parameters?: number;
  readonly bytes?: number;
  readonly psi?: number;
  readonly attack?: Cell["attack"];
  readonly withoutReference?: string;
}

function resultsOf(
  rows: readonly Made[],
  { attacks, seeds = [1, 2, 3] }: { readonly attacks?: Suite["attacks"]; readonly seeds?: readonly number[] } = {},
): SuiteResults {
  const suite = { name: "s", title: "S", data: "tasks", attacks } as unknown as Suite;
  const seeded = seeds.flatMap((seed) => rows.map((row) => ({ ...row, seed })));
  const cells = seeded.map(
    ({ method, seed, own, loss = 1, parameters = 100, bytes = 100, psi = 0, attack = "none", withoutReference }) => {
      const declared = { name: method, title: method, withoutReference } as unknown as DeclaredMethod;
      const cell: Cell = {
        suite,
        method: declared,
        split: { kind: "iid" },
        peers: 8,
        seed,
        attack,
        learningRate: 1,
        tuning: false,
      };
      const scores = { loss, accuracy: own, exactMatch: own, tokens: 1 };
      const result: CellResult = {
        key: "",
        cell: { suite: "s", method, split: "iid", peers: 8, seed, attack, learningRate: 1, tuning: false },
        peers: [{ own: scores, others: scores, psiOwn: psi, psiOthers: 0, lambdaMean: 0 }],
        looks: [0, 1],
        ownLosses: [1, 1],
        own: [0, own],
        others: [0, own],
        trainedParameters: parameters,
        sentParameters: parameters,
        updateBytes: bytes,
        seconds: { train: 1, aggregate: 1, evaluate: 1 },
      };
      return { cell, result };
    },
  );
  return { suite, cells, learningRates: new Map() };
}

const findingOf = (name: string, results: SuiteResults) =>
  checkClaims([results]).find((claim) => claim.name === name)!.finding;

describe("a claim", () => {
  test("of fewer parameters holds within a point of accuracy and from 7 times on", () => {
    const of = (own: number, parameters: number) =>
      findingOf(
        "fedreft",
        resultsOf([
          { method: "fedit", own: 0.5, parameters: 700 },
          { method: CLAIM_METHODS.loreft[0]!, own, parameters },
          { method: CLAIM_METHODS.search, own: 0.9, parameters: 1 },
        ]),
      );
    expect(of(0.495, 100)).toBe("holds");
    expect(of(0.48, 100)).toBe("does not hold");
    expect(of(0.6, 200)).toBe("does not hold");
    expect(findingOf("fedreft", resultsOf([{ method: "fedit", own: 0.5 }]))).toBe("not measured");
  });

  test("is not decided by fewer than three seeds, whichever way they speak", () => {
    const of = (own: number, seeds: readonly number[]) => {
      const rows = [
        { method: "fedit", own: 0.5, bytes: 1000 },
        { method: "c-only-uniform", own, bytes: 10 },
      ];
      return findingOf("ce-lora", resultsOf(rows, { seeds }));
    };
    expect([of(0.5, [1, 2]), of(0, [1, 2])]).toEqual(["not decided", "not decided"]);
    expect([of(0.5, [1, 2, 3]), of(0, [1, 2, 3])]).toEqual(["holds", "does not hold"]);
  });

  test("of less traffic holds within two points", () => {
    const of = (own: number) =>
      findingOf(
        "ce-lora",
        resultsOf([
          { method: "fedit", own: 0.5, bytes: 1000 },
          { method: "c-only-uniform", own, bytes: 10 },
        ]),
      );
    expect(of(0.485)).toBe("holds");
    expect(of(0.47)).toBe("does not hold");
  });

  test.each([
    ["adaptive", [CLAIM_METHODS.alone, CLAIM_METHODS.fixed]],
    ["adaptive-search", [CLAIM_METHODS.search]],
  ])("of the %s lambda holds within a point of accuracy, or a hundredth of a nat", (name, others) => {
    const of = (own: number, loss: number) => {
      const rivals = others.map((method, i) => ({ method, own: 0.5 - 0.1 * i, loss: 1 + 0.1 * i }));
      return findingOf(name, resultsOf([...rivals, { method: CLAIM_METHODS.adaptive, own, loss }]));
    };
    expect(of(0.495, 2)).toBe("holds");
    expect(of(0.48, 1.02)).toBe("does not hold");
    expect(of(0.48, 1.005)).toBe("holds");
  });

  test("of less forgetting compares a method with itself without reference model", () => {
    const of = (psi: number) =>
      findingOf(
        "fedref",
        resultsOf([
          { method: "a", own: 0.5, psi: 0.1 },
          { method: "a-ref", own: 0.5, psi, withoutReference: "a" },
        ]),
      );
    expect(of(0.05)).toBe("holds");
    expect(of(0.1)).toBe("does not hold");
  });

  test("of robustness looks at the geometric median under every attack", () => {
    const of = (own: number) =>
      findingOf(
        "robust",
        resultsOf(
          [
            { method: "robust-geometric-median", own: 0.5 },
            { method: "robust-geometric-median", own, attack: "alie" },
            { method: "robust-mean", own: 0, attack: "alie" },
          ],
          { attacks: ["none", "alie"] },
        ),
      );
    expect(of(0.46)).toBe("holds");
    expect(of(0.44)).toBe("does not hold");
  });
});

test("what is forgotten is the best look less the last, never negative", () => {
  const look = (exactMatch: number, loss: number) => ({ exactMatch, loss, accuracy: 0, tokens: 1 });
  const curve = [look(0.1, 3), look(0.6, 1), look(0.4, 1.5)];
  expect(forgetting(curve, METRICS.tasks)).toBeCloseTo(0.2);
  expect(forgetting(curve, METRICS.speakers)).toBeCloseTo(0.5);
  expect(forgetting(curve.slice(0, 2), METRICS.tasks)).toBe(0);
});
