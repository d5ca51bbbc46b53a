import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { encodeModel } from "../onnx/codec.ts";
import { nodesInOrder } from "../onnx/graph.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { float32, int64, sizeOf } from "../tensor.ts";
import { trainingStepGraph } from "./training-step.ts";

const model = loadBaseModel(readModelFiles(embeddedModelDirectory()));
const shape = { examples: 2, tokens: 16, labels: 20 };
const ADAPTERS: readonly AdapterSettings[] = [
  { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj", "down_proj"], layers: "all" },
  { kind: "lora", rank: 2, alpha: 4, targets: ["v_proj"], layers: [2] },
  { kind: "loreft", rank: 2, layers: "all", positions: { first: 2, last: 2, tied: false } },
];

function graphs(adapter: AdapterSettings) {
  const slots = adapterSlots(adapterMethod(adapter).tensors(adapter, model.shape));
  const adapted = { model, adapter, slots };
  return {
    slots,
    usual: trainingStepGraph(adapted, shape),
    low: trainingStepGraph(adapted, shape, { lowMemory: true }),
  };
}

describe.each(ADAPTERS)("checkpointing with $kind on $layers", (adapter) => {
  it("gives the loss and the gradient of the usual graph", async () => {
    const { slots, usual, low } = graphs(adapter);
    const stream = createPrng(3);
    const size = slots.reduce((sum, slot) => sum + slot.length, 0);
    const counts = adapter.kind === "loreft" ? adapter.positions : { first: 0, last: 0 };
    if (counts === "all") throw new RangeError("not one of the adapters above");
    const feeds = {
      input_ids: int64(
        [2, 16],
        Array.from({ length: 32 }, () => stream.below(700)),
      ),
      label_rows: int64(
        [20],
        Array.from({ length: 20 }, (_, i) => (i < 10 ? 5 + i : 11 + i)),
      ),
      label_ids: int64(
        [20],
        Array.from({ length: 20 }, () => stream.below(700)),
      ),
      label_weights: float32([20], new Float32Array(20).fill(1 / 20)),
      adapter: float32(
        [size],
        Float32Array.from({ length: size }, () => 0.3 * stream.normal()),
      ),
      ...interventionFeeds(counts, [6, 6], 16),
    };
    const results = [];
    for (const graph of [usual, low]) {
      const session = await createOnnxRuntime().load(encodeModel(graph), {
        externalData: model.externalData,
        threads: 1,
      });
      results.push(await session.run(feeds));
      await session.close();
    }
    const [a, b] = results.map((result) => Array.from(result.gradient!.data as Float32Array));
    const scale = Math.max(...a!.map(Math.abs));
    expect(scale).toBeGreaterThan(1e-4);
    for (const [i, x] of a!.entries()) expect(Math.abs(x - b![i]!)).toBeLessThan(1e-5 * scale);
    expect(Number(results[1]!.loss!.data[0])).toBeCloseTo(Number(results[0]!.loss!.data[0]), 5);
  });

  it("keeps of every inner block only what stands at its end", () => {
    const kept = (graph: ReturnType<typeof trainingStepGraph>): number => {
      const forward = new Set(nodesInOrder([graph.outputs.loss!]));
      const values = new Set();
      for (const node of nodesInOrder([graph.outputs.gradient!])) {
        if (forward.has(node)) continue;
        for (const input of node.inputs) {
          const { source } = input ?? { source: undefined };
          if (source?.kind === "node" && forward.has(source.node) && sizeOf(input!.shape) > 2 * 16) values.add(input);
        }
      }
      return values.size;
    };
    const { usual, low } = graphs(adapter);
    expect(kept(low)).toBeLessThan(kept(usual));
  });
});
