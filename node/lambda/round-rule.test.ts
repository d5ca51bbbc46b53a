import { describe, expect, it } from "vitest";
import { chooseLambda, type RoundLambdaRule, tanhLambda } from "./round-rule.ts";

const SEARCH: RoundLambdaRule = { mode: "search" };
/** The "adapter" of these tests is lambda itself, so that a loss is a function of lambda. */
const mixed = (lambda: number): Float32Array => Float32Array.of(lambda);
const choose = (rule: RoundLambdaRule, loss: (lambda: number) => number) =>
  chooseLambda(rule, { mixed, evaluate: async ([lambda]) => loss(lambda!) });

describe("search", () => {
  const rows: readonly (readonly [string, readonly number[], number])[] = [
    ["the best candidate", [5, 4, 3, 4, 5], 0.5],
    ["all of the aggregate", [5, 4, 3, 2, 1], 1],
    ["nothing when nothing improves", [1, 2, 3, 4, 5], 0],
    ["nothing when all are equal", [2, 2, 2, 2, 2], 0],
    ["the smaller of two equals", [5, 3, 4, 3, 5], 0.25],
    ["past a candidate without a loss", [5, Number.NaN, 4, Number.NaN, 6], 0.5],
    ["nothing when every other loss is NaN", [5, Number.NaN, Number.NaN, Number.NaN, Number.NaN], 0],
    ["nothing when every loss is NaN", [Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN], 0],
    ["the aggregate when the own loss is NaN", [Number.NaN, Number.NaN, Number.NaN, 9, 8], 1],
    ["never an infinite loss", [5, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 6, 6], 0],
  ];
  for (const [name, losses, expected] of rows) {
    it(`takes ${name}`, async () => {
      const choice = await choose(SEARCH, (lambda) => losses[4 * lambda]!);
      expect(choice.lambda).toBe(expected);
      expect(choice.theta).toEqual(mixed(expected));
      expect(choice.losses).toEqual(losses.map((loss, i) => ({ lambda: i / 4, loss })));
    });
  }

  it("stops between evaluations when aborted", async () => {
    const controller = new AbortController();
    let evaluations = 0;
    const evaluate = async (): Promise<number> => {
      if (++evaluations === 2) controller.abort(new Error("round over"));
      return 1;
    };
    await expect(chooseLambda(SEARCH, { mixed, evaluate, signal: controller.signal })).rejects.toThrow("round over");
    expect(evaluations).toBe(2);
  });

  it("hands on the failure of an evaluation", async () => {
    const evaluate = (): Promise<number> => Promise.reject(new Error("worker gone"));
    await expect(chooseLambda(SEARCH, { mixed, evaluate })).rejects.toThrow("worker gone");
  });
});

describe("search with momentum of the aggregate", () => {
  const pushed = (lambda: number, isPushed = true): Float32Array => Float32Array.of(lambda, isPushed ? 1 : 0);
  const search = (loss: (lambda: number, isPushed: boolean) => number) =>
    chooseLambda(SEARCH, {
      mixed: pushed,
      hasMomentum: true,
      evaluate: async ([lambda, isPushed]) => loss(lambda!, isPushed === 1),
    });

  it("tries every lambda without it and with it, and 0 once", async () => {
    const choice = await search((lambda, isPushed) => 5 - lambda - (isPushed ? 1 : 0));
    expect(choice).toMatchObject({ lambda: 1, pushed: true, theta: pushed(1, true) });
    expect(choice.losses).toHaveLength(9);
  });

  it("leaves it out where it is no better", async () => {
    expect(await search((lambda, isPushed) => 5 - lambda + (isPushed ? 1 : 0))).toMatchObject({
      ...{ lambda: 1, pushed: false, theta: pushed(1, false) },
    });
    expect(await search(() => 1)).toMatchObject({ lambda: 0 });
  });
});

it("fixed evaluates nothing", async () => {
  const choice = await choose({ mode: "fixed", value: 0.3 }, () => {
    throw new Error("evaluated");
  });
  expect(choice).toEqual({ lambda: 0.3, theta: mixed(0.3), losses: [] });
});

describe("tanh", () => {
  it("follows the gain of the aggregate over the own adapter", async () => {
    const rule = { mode: "tanh", max: 0.8, kappa: 2 } as const;
    const choice = await choose(rule, (lambda) => (lambda === 0 ? 4 : 3));
    expect(choice.lambda).toBeCloseTo(0.8 * Math.tanh(0.5), 14);
    expect(choice.theta).toEqual(mixed(choice.lambda));
    expect(choice.losses).toEqual([
      { lambda: 0, loss: 4 },
      { lambda: 1, loss: 3 },
    ]);
  });

  for (const [own, aggregate, expected] of [
    [3, 4, 0],
    [3, 3, 0],
    [3, Number.NaN, 0],
    [3, Number.POSITIVE_INFINITY, 0],
    [Number.NaN, 3, 0.9],
    [Number.NaN, Number.NaN, 0],
    [0, 0, 0],
  ] as const) {
    it(`own loss ${own}, aggregate ${aggregate}: ${expected}`, () => {
      expect(tanhLambda({ max: 0.9, kappa: 5 }, { own, aggregate })).toBe(expected);
    });
  }
});
