import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { openGolden } from "../golden/golden-models.suite.ts";
import type { Runtime } from "../interface/runtime.ts";
import { memoryUse } from "../onnx/memory-use.ts";
import { float32 } from "../tensor.ts";
import { checkStreamed } from "./streamed-parts.suite.ts";
import { streamedEvaluation, streamedStep } from "./streamed-parts.ts";
import { streamedSession } from "./streamed-session.ts";
import { trainingStepGraph } from "./training-step.ts";

// All directories: npm run test:base.
describe("a step block by block has the loss and gradient of the whole, and an evaluation its losses", () => {
  it.each([
    ["llama-3-layers", {}],
    ["llama", { base: "q4" }],
    ["bert-tokens", {}],
  ] as const)("%s %j", (name, options) => checkStreamed(name, options));
});

const shape = { examples: 2, tokens: 8, labels: 14 };
const adapted = (layers: "all" | readonly number[]) => {
  const { model } = openGolden("llama-3-layers");
  const adapter: AdapterSettings = { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj"], layers };
  return { model, adapter, slots: adapterSlots(adapterMethod(adapter).tensors(adapter, model.shape)) };
};

it("no part reads the weights of more than one block, and the parts together read all that the whole does", () => {
  const whole = memoryUse(trainingStepGraph(adapted("all"), shape)).weights;
  const { forward, head, backward } = streamedStep(adapted("all"), shape, {});
  const bytes = [...forward, head].map((part) => memoryUse(part).weights);
  expect(bytes).toHaveLength(4);
  expect(bytes.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(whole);
  for (const one of bytes) expect(one).toBeLessThan(0.6 * whole);
  expect(backward.map((part) => memoryUse(part).weights)).toEqual(bytes.slice(0, 3).toReversed());
});

it("the backward pass ends at the lowest block that is trained", () => {
  const { forward, backward } = streamedStep(adapted([1, 2]), shape, {});
  expect([forward.length, backward.length]).toEqual([3, 2]);
  const names = backward.map(({ outputs }) => Object.keys(outputs));
  expect(names).toEqual([["gradient", "stream_gradient"], ["gradient"]]);
  expect(streamedEvaluation(adapted([1]), shape).backward).toEqual([]);
});

it("a session holds one part at a time, and lets it go where running it fails", async () => {
  const open = { now: 0, most: 0, runs: 0 };
  const provider = async () => "cpu" as const;
  const load: Runtime["load"] = async () => {
    open.now += 1;
    open.most = Math.max(open.most, open.now);
    return {
      run: async () => {
        open.runs += 1;
        if (open.runs === 3) throw new Error("no room");
        return { next: float32([1], [0]) };
      },
      close: async () => void (open.now -= 1),
    };
  };
  const runtime = { load, provider, whyNoFloat16: async () => undefined };
  const session = streamedSession(runtime, streamedStep(adapted("all"), shape, {}), {});
  expect(open.most).toBe(0);
  await expect(session.run({})).rejects.toThrow("no room");
  expect(open).toEqual({ now: 0, most: 1, runs: 3 });
});
