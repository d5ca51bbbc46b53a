import { describe, expect, test } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import type { Example } from "../interface/trainer.ts";
import { openModel } from "../local/stored-adapter.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import type { AdaptedModel } from "../training/training-step.ts";
import { oneHot } from "./gradient-matching.ts";
import { createGradientMatcher, type TextShape } from "./matching-graph.ts";
import { distanceToSpace, rowSpace } from "./row-space.ts";
import { seenGradient } from "./seen-gradient.ts";
import { spanAttack } from "./span-attack.ts";
import { tokenOverlap } from "./token-overlap.ts";

const { model } = openModel(embeddedModelDirectory());
const runtime = createOnnxRuntime();
const EXAMPLE = { tokens: [1, 713, 61, 577, 646, 625, 262, 2], promptLength: 6 };
const SHAPE = { tokens: EXAMPLE.tokens.length, promptLength: EXAMPLE.promptLength };
const lowRank = { rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: [0, 2] } as const;
const KINDS: readonly (readonly [string, AdapterSettings])[] = [
  ["lora", { kind: "lora", ...lowRank }],
  ["ffa-lora", { kind: "ffa-lora", ...lowRank }],
  ["tri-lora", { kind: "tri-lora", ...lowRank, basis: "shared" }],
  ["loreft", { kind: "loreft", rank: 8, layers: [0], positions: { first: 7, last: 7, tied: false } }],
];

async function victim(settings: AdapterSettings, example: Example = EXAMPLE) {
  const method = adapterMethod(settings);
  const slots = adapterSlots(method.tensors(settings, model.shape));
  const adapted: AdaptedModel = { model, adapter: settings, slots, frozen: method.frozen(settings, model.shape, 1) };
  // Off the start, where half of LoRA's gradient is 0.
  const adapter = method.start(settings, model.shape, 1).map((x, i) => x + 0.02 * Math.sin(i * i));
  method.retract(slots, adapter);
  const observed = await seenGradient(runtime, { adapted, example, adapter, threads: 1 });
  return { adapted, adapter, observed, shape: SHAPE, threads: 1 };
}

describe.each(KINDS)("an onlooker of %s", (kind, settings) => {
  test("gets the very gradient from the true text, and elsewhere a slope that finite differences confirm", async () => {
    const matcher = await createGradientMatcher(runtime, await victim(settings));
    const { vocabulary } = model.shape;
    const of = async (tokens: readonly number[]): Promise<number> =>
      (await matcher.guess(oneHot(tokens, vocabulary))).distance;
    expect(await of(EXAMPLE.tokens)).toBeLessThan(1e-6);
    expect(await of(EXAMPLE.tokens.with(2, 62))).toBeGreaterThan(1e-2);
    expect(await of(EXAMPLE.tokens.with(7, 3))).toBeGreaterThan(1e-2);
    const p = oneHot(EXAMPLE.tokens.with(2, 62), vocabulary).map((x, i) => 0.9 * x + 1e-4 * Math.sin(i) ** 2);
    const { direction } = await matcher.guess(p);
    for (const at of [2 * vocabulary + 61, 7 * vocabulary + 2]) {
      const h = 2e-3;
      const shifted = async (by: number): Promise<number> =>
        (await matcher.guess(p.map((x, i) => (i === at ? x + by : x)))).distance;
      const difference = ((await shifted(h)) - (await shifted(-h))) / (2 * h);
      // Differences of float32 distances over a step of 4e-3, and what bends within it.
      expect(Math.abs(direction[at]! - difference)).toBeLessThan(0.05 * Math.max(Math.abs(difference), 1));
    }
    await matcher.close();
  });

  test("reads tokens off the space of the gradient's rows", async () => {
    const found = await spanAttack(runtime, await victim(settings));
    expect(found?.inOrder).toBe(kind === "loreft");
    if (kind === "loreft") {
      // All of the prompt is edited, and comes out in order.
      expect(found?.tokens).toEqual(EXAMPLE.tokens.slice(0, 6));
    } else {
      expect(tokenOverlap(EXAMPLE.tokens, found!.tokens).precision).toBeGreaterThan(0.8);
      expect(tokenOverlap(EXAMPLE.tokens, found!.tokens).recall).toBeGreaterThan(0.7);
    }
  });
});

test("takes the loss on the turns that are learnt, where a text has several", async () => {
  const learnt = [
    [3, 5],
    [7, 8],
  ] as const;
  const example = { tokens: EXAMPLE.tokens, promptLength: 3, learnt };
  const seen = await victim(KINDS[0]![1], example);
  const distance = async (shape: TextShape): Promise<number> => {
    const matcher = await createGradientMatcher(runtime, { ...seen, shape });
    const { distance: found } = await matcher.guess(oneHot(EXAMPLE.tokens, model.shape.vocabulary));
    await matcher.close();
    return found;
  };
  const shape = { tokens: EXAMPLE.tokens.length, promptLength: 3 };
  expect(await distance({ ...shape, learnt })).toBeLessThan(1e-6);
  expect(await distance(shape)).toBeGreaterThan(1e-2);
});

test("noise of a private update hides the text from both", async () => {
  const exact = await victim(KINDS[2]![1]);
  const length = Math.hypot(...exact.observed);
  const observed = exact.observed.map((x, i) => x + length * Math.sin(12.9898 * i * i + 78.233));
  const matcher = await createGradientMatcher(runtime, { ...exact, observed });
  expect((await matcher.guess(oneHot(EXAMPLE.tokens, model.shape.vocabulary))).distance).toBeGreaterThan(0.5);
  await matcher.close();
  const found = await spanAttack(runtime, { ...exact, observed });
  expect(tokenOverlap(EXAMPLE.tokens, found?.tokens ?? []).f1).toBeLessThan(0.4);
});

test("the space of a gradient's rows holds what it was made of and nothing else", () => {
  const space = rowSpace(Float32Array.of(1, 0, 0, 1, 1, 0, 2, 1, 0, 0, 0, 0), 3);
  expect(space.basis.length).toBe(2);
  expect(distanceToSpace(space, [3, -5, 0])).toBeLessThan(1e-7);
  expect(distanceToSpace(space, [0, 0, 2])).toBeCloseTo(1, 12);
  expect(distanceToSpace(space, [0, 3, 4])).toBeCloseTo(0.8, 6);
  expect(rowSpace(new Float32Array(6), 3).basis).toEqual([]);
});

test.each([
  [[1, 2, 3], [3, 2, 9], { precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, inPlace: 1 / 3 }],
  [[1, 1, 2], [1], { precision: 1, recall: 1 / 3, f1: 0.5, inPlace: 1 / 3 }],
  [[1], [1, 1, 1], { precision: 1 / 3, recall: 1, f1: 0.5, inPlace: 1 }],
  [[1], [], { precision: 0, recall: 0, f1: 0, inPlace: 0 }],
])("overlap of %j with the guess %j", (text, guess, expected) => {
  expect(tokenOverlap(text, guess)).toEqual(expected);
});
