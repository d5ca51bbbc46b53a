import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { ReferenceSettings } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import {
  difference,
  functionDistance,
  PARAMETER_COUNT,
  randomAdapter,
  rotated,
  rotationError,
  SLOTS,
} from "./loreft.suite.ts";
import {
  type AdapterLayout,
  anchorToReference,
  decodeReference,
  emptyReference,
  encodeReference,
  type ReferenceState,
  referenceModel,
  rememberModel,
} from "./reference-model.ts";

const NONE: ReferenceSettings = { kind: "none" };
const UNIFORM: ReferenceSettings = { kind: "window", size: 3, weights: "uniform", l1: 0.5, l2: 2 };
const LINEAR: ReferenceSettings = { ...UNIFORM, weights: "linear" };
const EMA: ReferenceSettings = { kind: "ema", decay: 0.75, l1: 0.5, l2: 2 };
const PLAIN: AdapterLayout = { kind: "lora", slots: adapterSlots([{ name: "q.A", shape: [2] }]) };
const LOREFT: AdapterLayout = { kind: "loreft", slots: SLOTS };

/** The state after `models` have left their rounds, oldest first. */
const remembered = (
  settings: ReferenceSettings,
  layout: AdapterLayout,
  models: readonly Float32Array[],
): ReferenceState =>
  models.reduce((state, model) => rememberModel(state, model, { settings, layout }), emptyReference(settings));

const HISTORY = [
  [8, 1],
  [1, 2],
  [2, -4],
  [4, 0.5],
].map((values) => Float32Array.from(values));
const A = Float32Array.of(10, -1);

describe("Fisher weights", () => {
  it("pull each value by itself: the minimum, found by halving, of what the equation says", () => {
    const fisher = Float32Array.of(0, 2);
    const state = remembered(UNIFORM, PLAIN, HISTORY);
    const [free, pulled] = anchorToReference(state, A, { settings: UNIFORM, layout: PLAIN, fisher });
    expect(free).toBe(A[0]);
    const m = (0.5 - 4 + 2) / 3;
    const slope = (x: number): number => x - A[1]! + 2 * (0.5 * (x - 0.5) + 2 * (x - m));
    let [low, high] = [-100, 100];
    for (let i = 0; i < 100; i++) {
      const middle = (low + high) / 2;
      if (slope(middle) > 0) high = middle;
      else low = middle;
    }
    expect(Math.abs(pulled! - low)).toBeLessThan(1e-6);
  });

  it("that are all 1 change nothing, and must be as many as values", () => {
    const state = remembered(EMA, PLAIN, HISTORY);
    const plain = anchorToReference(state, A, { settings: EMA, layout: PLAIN });
    const settings = { settings: EMA, layout: PLAIN };
    expect(anchorToReference(state, A, { ...settings, fisher: Float32Array.of(1, 1) })).toEqual(plain);
    expect(() => anchorToReference(state, A, { ...settings, fisher: Float32Array.of(1) })).toThrow(RangeError);
  });
});

describe("anchorToReference", () => {
  /** x+ for x- = [4, 0.5], l1 = 1/2, l2 = 2 and the reference model m, written out. */
  const proximal = (m: readonly number[]): number[] => [
    (10 + 0.5 * 4 + 2 * m[0]!) / 3.5,
    (-1 + 0.5 * 0.5 + 2 * m[1]!) / 3.5,
  ];
  const rows: readonly (readonly [string, ReferenceSettings, readonly number[]])[] = [
    ["the mean of the last three", UNIFORM, [(4 + 2 + 1) / 3, (0.5 - 4 + 2) / 3]],
    ["linear weights, the newest most", LINEAR, [(3 * 4 + 2 * 2 + 1) / 6, (3 * 0.5 - 2 * 4 + 2) / 6]],
    [
      "an average over time",
      EMA,
      [1, 2, 3].reduce((m, i) => m.map((x, k) => 0.75 * x + 0.25 * HISTORY[i]![k]!), Array.from(HISTORY[0]!)),
    ],
  ];
  for (const [name, settings, m] of rows) {
    it(`pulls towards ${name}`, () => {
      const anchored = anchorToReference(remembered(settings, PLAIN, HISTORY), A, { settings, layout: PLAIN });
      expect(difference(anchored, proximal(m))).toBeLessThan(1e-6);
    });

    it(`gives local training ${name} to be held to`, () => {
      const found = referenceModel(remembered(settings, PLAIN, HISTORY), { settings, layout: PLAIN });
      expect(difference(found!, m)).toBeLessThan(1e-6);
    });

    it(`is the minimum of the proximal objective with ${name}`, () => {
      const x = anchorToReference(remembered(settings, PLAIN, HISTORY), A, { settings, layout: PLAIN });
      const previous = HISTORY[3]!;
      const cost = (y: ArrayLike<number>): number =>
        [0, 1].reduce(
          (sum, k) =>
            sum + (y[k]! - A[k]!) ** 2 / 2 + (0.5 / 2) * (y[k]! - previous[k]!) ** 2 + (2 / 2) * (y[k]! - m[k]!) ** 2,
          0,
        );
      for (const step of [
        [0.01, 0],
        [-0.01, 0],
        [0, 0.01],
        [0, -0.01],
      ]) {
        expect(cost([x[0]! + step[0]!, x[1]! + step[1]!])).toBeGreaterThan(cost(x));
      }
    });
  }

  it("uses what past there is before the window is full", () => {
    const state = remembered(UNIFORM, PLAIN, HISTORY.slice(2, 4));
    const expected = proximal([(4 + 2) / 2, (0.5 - 4) / 2]);
    expect(difference(anchorToReference(state, A, { settings: UNIFORM, layout: PLAIN }), expected)).toBeLessThan(1e-6);
  });

  it("is the identity with kind none and without a past", () => {
    for (const settings of [NONE, UNIFORM, LINEAR, EMA]) {
      const state = settings.kind === "none" ? remembered(settings, PLAIN, HISTORY) : emptyReference(settings);
      const anchored = anchorToReference(state, A, { settings, layout: PLAIN });
      expect(anchored).toEqual(A);
      expect(anchored).not.toBe(A);
    }
  });

  it("does not depend on the gauge in which the past was stored, and keeps that of the aggregate", () => {
    const a = randomAdapter(1);
    const past = [2, 3, 4].map(randomAdapter);
    const turned = past.map((theta, i) => rotated(theta, 20 + i));
    for (const settings of [UNIFORM, LINEAR, EMA]) {
      const options = { settings, layout: LOREFT };
      const anchored = anchorToReference(remembered(settings, LOREFT, past), a, options);
      expect(difference(anchorToReference(remembered(settings, LOREFT, turned), a, options), anchored)).toBeLessThan(
        1e-5,
      );
      expect(rotationError(anchored)).toBeLessThan(1e-6);
      expect(functionDistance(anchored, a)).toBeGreaterThan(0.1);
    }
  });

  it("leaves an adapter where it is when the past is the same adapter in other gauges", () => {
    const a = randomAdapter(1);
    for (const settings of [UNIFORM, LINEAR, EMA]) {
      const past = [5, 6, 7].map((seed) => rotated(a, seed));
      const anchored = anchorToReference(remembered(settings, LOREFT, past), a, { settings, layout: LOREFT });
      expect(difference(anchored, a), settings.kind).toBeLessThan(1e-5);
    }
  });

  it("gives local training nothing to be held to without a past, and the newest where all are one in many gauges", () => {
    for (const settings of [NONE, UNIFORM, EMA]) {
      expect(referenceModel(emptyReference(settings), { settings, layout: PLAIN })).toBeUndefined();
    }
    const a = randomAdapter(1);
    for (const settings of [UNIFORM, LINEAR, EMA]) {
      const past = [5, 6, 7].map((seed) => rotated(a, seed));
      const m = referenceModel(remembered(settings, LOREFT, past), { settings, layout: LOREFT });
      expect(difference(m!, past[2]!), settings.kind).toBeLessThan(1e-5);
    }
  });

  it("refuses a state of another kind than the settings", () => {
    expect(() => anchorToReference(emptyReference(EMA), A, { settings: UNIFORM, layout: PLAIN })).toThrow(RangeError);
  });
});

describe("the state", () => {
  it("holds at most the window, newest first, in copies", () => {
    const models = HISTORY.map((model) => model.slice());
    const state = remembered(UNIFORM, PLAIN, models);
    models[3]!.fill(0);
    expect(encodeReference(state)).toEqual([HISTORY[3], HISTORY[2], HISTORY[1]]);
  });

  it("goes to storage and back with the same bits", () => {
    const past = [2, 3, 4, 5].map(randomAdapter);
    for (const settings of [NONE, UNIFORM, EMA]) {
      for (const count of [0, 1, 4]) {
        const state = remembered(settings, LOREFT, past.slice(0, count));
        const arrays = encodeReference(state).map((array) => array.slice());
        expect(decodeReference(arrays, { settings, parameterCount: PARAMETER_COUNT })).toEqual(state);
      }
    }
  });

  const bad: readonly (readonly [string, ReferenceSettings, readonly Float32Array[]])[] = [
    ["more snapshots than the window", UNIFORM, HISTORY],
    ["one array for an average over time", EMA, HISTORY.slice(0, 1)],
    ["arrays where there should be none", NONE, HISTORY.slice(0, 1)],
    ["a snapshot of another length", UNIFORM, [Float32Array.of(1)]],
    ["a value that is not finite", UNIFORM, [Float32Array.of(1, Number.NaN)]],
  ];
  for (const [name, settings, arrays] of bad) {
    it(`refuses ${name}`, () => {
      const decode = () => decodeReference(arrays, { settings, parameterCount: 2 });
      expect(decode).toThrow(NodeError);
      expect(decode).toThrow(expect.objectContaining({ code: "CHECKPOINT_CORRUPT" }));
    });
  }
});
