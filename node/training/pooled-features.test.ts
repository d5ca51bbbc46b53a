/** Pooled features against the slow float64 forward pass, through the output matrix that it ends with. */
import { describe, expect, it } from "vitest";
import { openGolden } from "../golden/golden-models.suite.ts";
import type { Example } from "../interface/trainer.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, type Config, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { referenceForward } from "../model/reference-forward.suite.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { pooledFeatures } from "./pooled-features.ts";

const runtime = createOnnxRuntime();
const { llama, gpt2, qwen3, bert, roberta } = CONFIGS;

/** Texts of different lengths, more than one batch of them. */
const LENGTHS = [13, 3, 9, 5, 8, 2, 11, 4, 6, 7, 13, 10, 12, 3, 5, 9, 8, 7, 4];
const tokensOf = (i: number): number[] =>
  Array.from({ length: LENGTHS[i]! }, (_, t) => 2 + ((7 * t + 11 * i + t * t) % 27));

const open = (config: Config) => {
  const tensors = randomTensors(config);
  const model = loadBaseModel(filesOf(config, tensors));
  const dependencies = {
    runtime,
    model,
    sessionOptions: { externalData: model.externalData, threads: 1 },
    bucketsMax: 2,
  };
  return { tensors, model, features: (examples: readonly Example[]) => pooledFeatures(dependencies, examples) };
};

describe("pooled features", () => {
  it.each(Object.entries({ llama, gpt2, qwen3 }))(
    "of %s are means of normalised hidden states: the mean of the reference's logits is their product with the output matrix",
    async (_, config) => {
      const { tensors, model, features } = open(config);
      const examples = LENGTHS.map((_, i) => ({ tokens: tokensOf(i), promptLength: 1 }));
      const { values, width, classes, classCount } = await features(examples);
      expect([classes, classCount, width]).toEqual([undefined, 1, model.shape.hidden]);
      const weights = new Map(tensors.map(({ name, data }) => [name, data]));
      const embedding =
        weights.get("lm_head.weight") ?? tensors.find(({ name }) => /embed_tokens|wte/.test(name))!.data;
      for (const i of [0, 1, 5, 16, 18]) {
        const rows = referenceForward(config, (name) => weights.get(name)!, { ids: tokensOf(i), length: LENGTHS[i]! });
        for (let v = 0; v < model.shape.vocabulary; v += 5) {
          const expected = rows.reduce((sum, row) => sum + row[v]!, 0) / rows.length;
          let logit = 0;
          for (let d = 0; d < width; d++) logit += embedding[v * width + d]! * values[i * width + d]!;
          expect(Math.abs(logit - expected), `text ${i}, logit ${v}`).toBeLessThan(1e-4);
        }
      }
    },
  );

  it("of a model with a narrow output are as wide as that", async () => {
    const { model } = openGolden("opt-behind");
    const options = { externalData: model.externalData, threads: 1 };
    const examples = [0, 1].map((i) => ({ tokens: tokensOf(i), promptLength: 1 }));
    const { values, width } = await pooledFeatures(
      { runtime, model, sessionOptions: options, bucketsMax: 2 },
      examples,
    );
    expect([width, values.length]).toEqual([16, 32]);
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it.each(Object.entries({ bert, roberta }))(
    "of %s are of the text alone, whatever stands beside it in a batch",
    async (_, config) => {
      const { features, model } = open(config);
      const labels = model.classifier!.labels.length;
      const examples = LENGTHS.map((length, i) => ({ tokens: [...tokensOf(i), i % labels], promptLength: length }));
      const all = await features(examples);
      expect(all.classCount).toBe(labels);
      expect(all.classes).toEqual(examples.map((_, i) => i % labels));
      for (const i of [1, 5, 18]) {
        // Alone, and with another class, which is no part of the text.
        const tokens = examples[i]!.tokens.with(-1, (i + 1) % labels);
        const alone = await features([{ ...examples[i]!, tokens }]);
        for (let d = 0; d < all.width; d++) {
          expect(Math.abs(alone.values[d]! - all.values[i * all.width + d]!), `text ${i}, ${d}`).toBeLessThan(1e-5);
        }
      }
      // Different texts have different features.
      expect(all.values.slice(0, all.width)).not.toEqual(all.values.slice(all.width, 2 * all.width));
    },
  );

  it("of a bert's text of one token lead to the logits that the reference has for it", async () => {
    const { tensors, model, features } = open(bert);
    const weights = new Map(tensors.map(({ name, data }) => [name, data]));
    const { values, width } = await features([{ tokens: [9, 0], promptLength: 1 }]);
    const linear = (x: readonly number[], path: string): number[] => {
      const [w, b] = [weights.get(`${path}.weight`)!, weights.get(`${path}.bias`)!];
      return Array.from(b, (bias, o) => bias + x.reduce((sum, v, d) => sum + v * w[o * width + d]!, 0));
    };
    const logits = linear(linear([...values], "bert.pooler.dense").map(Math.tanh), "classifier");
    const expected = referenceForward(bert, (name) => weights.get(name)!, { ids: [9], length: 1 })[0]!;
    expect(logits).toHaveLength(model.classifier!.labels.length);
    for (const [c, logit] of logits.entries()) expect(Math.abs(logit - expected[c]!)).toBeLessThan(1e-4);
  });
});
