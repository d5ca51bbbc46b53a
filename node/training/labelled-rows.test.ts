import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { dropoutFeeds } from "../adapter/dropout.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { matrixGflop } from "../bench/matrix-products.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32, int64, type Tensor } from "../tensor.ts";
import { trainingStepGraph } from "./training-step.ts";

const REFT = { rank: 2, layers: "all", positions: { first: 2, last: 2, tied: false } } as const;
const ADAPTERS: Readonly<Record<string, (targets: readonly string[]) => AdapterSettings>> = {
  "lora with dropout": (targets) => ({ kind: "lora", rank: 2, alpha: 4, targets, layers: "all", dropout: 0.3 }),
  loreft: () => ({ kind: "loreft", ...REFT }),
  "loreft everywhere": () => ({ kind: "loreft", rank: 2, layers: "all", positions: "all" }),
};
const FAMILIES = [
  { family: "llama", targets: ["q_proj", "o_proj", "down_proj"] },
  { family: "gpt2", targets: ["c_attn", "c_fc"] },
  { family: "bert", targets: ["query", "output.dense"] },
] as const;
const [EXAMPLES, TOKENS] = [2, 8];
/** The first one is edited by the prefix and the last one of a prompt by the suffix; one stands twice, as padding does. */
const ROWS = [0, 5, 6, 12, 13, 0];
const WEIGHTS = [0.2, 0.2, 0.2, 0.2, 0.2, 0];

describe.each(FAMILIES)("the last block of $family", ({ family, targets }) => {
  const model = loadBaseModel(filesOf(CONFIGS[family], randomTensors(CONFIGS[family])));

  it.each(Object.keys(ADAPTERS))("gives with %s the same on labelled rows alone as on all of them", async (name) => {
    const adapter = ADAPTERS[name]!(targets);
    const method = adapterMethod(adapter);
    const slots = adapterSlots(method.tensors(adapter, model.shape));
    const adapted = { model, adapter, slots, frozen: method.frozen(adapter, model.shape, 1) };
    const stream = createPrng(4);
    const size = slots.reduce((sum, slot) => sum + slot.length, 0);
    const draw = (n: number, below: number) => Array.from({ length: n }, () => stream.below(below));
    const classes = model.classifier?.labels.length ?? model.shape.vocabulary;
    const ids = draw(ROWS.length, classes);
    const feeds: Record<string, Tensor> = {
      input_ids: int64([EXAMPLES, TOKENS], draw(EXAMPLES * TOKENS, model.shape.vocabulary)),
      ...(model.classifier ? { attention_mask: int64([EXAMPLES, TOKENS], new Array(EXAMPLES * TOKENS).fill(1)) } : {}),
      adapter: float32(
        [size],
        Float32Array.from({ length: size }, () => 0.3 * stream.normal()),
      ),
      ...interventionFeeds(method.positions(adapter), [6, 6], TOKENS),
      ...dropoutFeeds(method.dropout(adapter, model.shape), EXAMPLES * TOKENS, createPrng(8)),
    };
    /** With so many further rows without weight. */
    const run = async (padding: number) => {
      const labels = ROWS.length + padding;
      const pad = new Array<number>(padding).fill(0);
      const graph = trainingStepGraph(adapted, { examples: EXAMPLES, tokens: TOKENS, labels });
      const session = await createOnnxRuntime().load(encodeModel(graph), {
        externalData: model.externalData,
        threads: 1,
      });
      const result = await session.run({
        ...feeds,
        label_rows: int64([labels], [...ROWS, ...pad]),
        label_ids: int64([labels], [...ids, ...pad]),
        label_weights: float32([labels], Float32Array.from([...WEIGHTS, ...pad])),
      });
      await session.close();
      return { graph, loss: Number(result.loss!.data[0]), gradient: Array.from(result.gradient!.data as Float32Array) };
    };
    const [few, all] = [await run(0), await run(EXAMPLES * TOKENS - ROWS.length)];
    expect(matrixGflop(few.graph)).toBeLessThan(0.9 * matrixGflop(all.graph));
    expect(few.loss).toBeCloseTo(all.loss, 5);
    const scale = Math.max(...all.gradient.map(Math.abs));
    expect(scale).toBeGreaterThan(1e-4);
    for (const [i, x] of all.gradient.entries()) expect(Math.abs(x - few.gradient[i]!)).toBeLessThan(1e-5 * scale);
  });
});
