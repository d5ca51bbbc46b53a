import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import type { Runtime } from "../interface/runtime.ts";
import { loadExamples } from "../local/data-source.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { encodeModel } from "../onnx/codec.ts";
import { nodesInOrder } from "../onnx/graph.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { float32, int64, type Tensor } from "../tensor.ts";
import { createActivationStore } from "./frozen-blocks.ts";
import { createTrainer } from "./trainer.ts";
import { cutTrainingStep, trainingStepGraph } from "./training-step.ts";

const files = readModelFiles(embeddedModelDirectory());
const model = loadBaseModel(files);
const upper = (layers: "all" | readonly number[]): AdapterSettings => ({
  kind: "loreft",
  rank: 2,
  layers,
  positions: { first: 2, last: 2, tied: false },
});
const shape = { examples: 4, tokens: 16, labels: 8 };
const adapted = (adapter: AdapterSettings, of = model) => ({
  model: of,
  adapter,
  slots: adapterSlots(adapterMethod(adapter).tensors(adapter, of.shape)),
});
const inputNames = (inputs: readonly { readonly source: { readonly kind: string; readonly name?: string } }[]) =>
  inputs.map(({ source }) => source.name);

/** Counts the runs of every session, in the order in which they were loaded. */
function counting(): { readonly runtime: Runtime; readonly runs: number[] } {
  const plain = createOnnxRuntime();
  const runs: number[] = [];
  const load: Runtime["load"] = async (...call) => {
    const session = await plain.load(...call);
    const index = runs.push(0) - 1;
    return {
      ...session,
      run: (...feeds) => {
        runs[index]! += 1;
        return session.run(...feeds);
      },
    };
  };
  return { runtime: { ...plain, load }, runs };
}

describe("a step cut behind the frozen blocks", () => {
  it("has nothing below an adapter in the first block, and most of the model below one on the last", () => {
    const inFirst = { kind: "lora", rank: 2, alpha: 4, layers: "all", targets: ["q_proj"] } as const;
    expect(cutTrainingStep(adapted(inFirst), shape)).toBeUndefined();
    const cut = cutTrainingStep(adapted(upper([3])), shape)!;
    expect(inputNames(cut.below.inputs)).toEqual(["input_ids"]);
    expect(inputNames(cut.above.inputs)).toContain("stream");
    expect(inputNames(cut.above.inputs)).not.toContain("input_ids");
    const size = (graph: { readonly outputs: Readonly<Record<string, never>> | object }) =>
      nodesInOrder(Object.values(graph.outputs)).length;
    expect(size(cut.above)).toBeLessThan(size(trainingStepGraph(adapted(upper([3])), shape)));
  });

  it("has the block whose result is edited first below, unless only some of its rows are wanted", () => {
    const norms = ({ outputs }: OnnxGraph) =>
      nodesInOrder([outputs.loss ?? outputs.stream!]).filter(({ op }) => op === "SimplifiedLayerNormalization").length;
    const counts = (layers: readonly number[], labels: number) => {
      const { below, above } = cutTrainingStep(adapted(upper(layers)), { ...shape, labels })!;
      return [norms(below), norms(above)];
    };
    // Two a block, and one behind the last.
    expect(counts([2, 3], 8)).toEqual([6, 3]);
    expect(counts([3], 64)).toEqual([8, 1]);
    expect(counts([3], 8)).toEqual([6, 3]);
  });

  it("has the first block below an edit of its result, where there are few blocks", () => {
    const norms = ({ outputs }: OnnxGraph) =>
      nodesInOrder([outputs.loss ?? outputs.stream!]).filter(({ op }) => op === "SimplifiedLayerNormalization").length;
    const { below, above } = cutTrainingStep(adapted(upper("all")), shape)!;
    expect([norms(below), norms(above)]).toEqual([2, 7]);
    const config = { ...CONFIGS.llama, num_hidden_layers: 9 };
    const deep = loadBaseModel(filesOf(config, randomTensors(config)));
    expect(cutTrainingStep(adapted(upper("all"), deep), shape)).toBeUndefined();
  });

  it("computes the frozen blocks in the first epoch only", async () => {
    const { sets } = await loadExamples({ modelDirectory: files.directory, maxTokens: 64, batchSize: 4, seed: 4 });
    const data = { ...sets, train: sets.train.slice(0, 16) };
    const train = async (adapter: AdapterSettings) => {
      const { runtime, runs } = counting();
      const trainer = await createTrainer(
        { runtime, files },
        {
          modelDirectory: files.directory,
          adapter,
          training: {
            optimizer: "adamw",
            learningRate: 5e-3,
            weightDecay: 0,
            gradientClip: 1,
            batchSize: 4,
            maxTokens: 64,
          },
          networkSeed: 1,
          peerSeed: 2,
          engine: { threads: 1 },
          data,
        },
      );
      const { losses } = await trainer.train({ steps: 12 });
      await trainer.close();
      return { losses, runs };
    };
    const cut = await train(upper([2, 3]));
    // Three epochs of four batches: the upper blocks run in every step, the lower ones while examples are new.
    expect(cut.runs[0]).toBe(12);
    expect(cut.runs[1]).toBe(4);
    const mean = (losses: readonly number[]) => losses.reduce((sum, x) => sum + x, 0) / losses.length;
    expect(mean(cut.losses.slice(8))).toBeLessThan(mean(cut.losses.slice(0, 4)));
  });

  it("evaluates the validation set by its upper blocks alone from the second time on, to the same losses", async () => {
    const { sets } = await loadExamples({ modelDirectory: files.directory, maxTokens: 64, batchSize: 4, seed: 4 });
    const data = {
      train: sets.train.slice(0, 4),
      validation: sets.validation.slice(0, 8),
      test: sets.test.slice(0, 8),
    };
    const evaluated = async (activationBytesMax?: number) => {
      const { runtime, runs } = counting();
      const training = { optimizer: "adamw", learningRate: 5e-2, weightDecay: 0, gradientClip: 1 } as const;
      const trainer = await createTrainer(
        { runtime, files },
        {
          modelDirectory: files.directory,
          adapter: upper([3]),
          training: { ...training, batchSize: 4, maxTokens: 64 },
          ...{ networkSeed: 1, peerSeed: 2, engine: { threads: 1 }, data },
          ...(activationBytesMax !== undefined && { activationBytesMax }),
        },
      );
      await trainer.train({ steps: 2 });
      const before = runs.length;
      const losses: number[] = [];
      for (const set of ["validation", "validation", "test", "test"] as const) {
        for (const adapter of [undefined, "base"] as const) {
          losses.push((await trainer.evaluate({ set, ...(adapter && { adapter }) })).loss);
        }
      }
      await trainer.close();
      return { losses, runs: runs.slice(before) };
    };
    const [kept, whole] = [await evaluated(), await evaluated(0)];
    for (const [i, loss] of kept.losses.entries()) expect(loss).toBeCloseTo(whole.losses[i]!, 4);
    // One batch each, and what validation gave an adapter is known the second time: six times the upper blocks, the lower ones
    // once for validation and four times for the test set.
    expect(kept.runs).toEqual([6, 5]);
    expect(whole.runs).toEqual([6]);
  });

  it("gives the loss and the gradient of the whole step", async () => {
    const whole = adapted(upper([2, 3]));
    const { below, above } = cutTrainingStep(whole, shape)!;
    const stream = createPrng(9);
    const size = whole.slots.reduce((sum, slot) => sum + slot.length, 0);
    const feeds: Record<string, Tensor> = {
      input_ids: int64(
        [4, 16],
        Array.from({ length: 64 }, () => stream.below(700)),
      ),
      label_rows: int64([8], [8, 9, 24, 25, 40, 41, 56, 57]),
      label_ids: int64(
        [8],
        Array.from({ length: 8 }, () => stream.below(700)),
      ),
      label_weights: float32([8], new Float32Array(8).fill(1 / 8)),
      adapter: float32(
        [size],
        Float32Array.from({ length: size }, () => 0.2 * stream.normal()),
      ),
      ...interventionFeeds({ first: 2, last: 2 }, [6, 6, 6, 6], 16),
    };
    const run = async (graph: OnnxGraph, more: Record<string, Tensor> = {}) => {
      const session = await createOnnxRuntime().load(encodeModel(graph), {
        externalData: model.externalData,
        threads: 1,
      });
      const names = inputNames(graph.inputs) as string[];
      const all: Record<string, Tensor> = { ...feeds, ...more };
      const result = await session.run(Object.fromEntries(names.map((name) => [name, all[name]!])));
      await session.close();
      return result;
    };
    const expected = await run(trainingStepGraph(whole, shape));
    const actual = await run(above, { stream: (await run(below)).stream! });
    const [a, b] = [expected, actual].map((result) => Array.from(result.gradient!.data as Float32Array));
    const scale = Math.max(...a!.map(Math.abs));
    expect(scale).toBeGreaterThan(1e-4);
    for (const [i, x] of a!.entries()) expect(Math.abs(x - b![i]!)).toBeLessThan(1e-5 * scale);
    expect(Number(actual.loss!.data[0])).toBeCloseTo(Number(expected.loss!.data[0]), 5);
  });
});

describe("the store of activations", () => {
  it("keeps what fits and gives back the first value of a key", () => {
    const store = createActivationStore({ bytesMax: 12 });
    store.put("a", Float32Array.of(1));
    store.put("a", Float32Array.of(9));
    store.put("b", Float32Array.of(2, 3, 4));
    store.put("c", Float32Array.of(5, 6));
    expect([store.get("a"), store.get("b"), store.get("c")]).toEqual([
      Float32Array.of(1),
      undefined,
      Float32Array.of(5, 6),
    ]);
  });
});
