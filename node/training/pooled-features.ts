/** The base model's features of examples, one vector for each: the mean over the tokens of its last hidden state. */
import { evaluationBatches } from "../data/batch.ts";
import { planBuckets } from "../data/bucket.ts";
import type { Runtime, SessionOptions } from "../interface/runtime.ts";
import type { Example, PooledFeatures } from "../interface/trainer.ts";
import { type BaseModel, finishedGraph } from "../model/base-model.ts";
import { encodeModel } from "../onnx/codec.ts";
import { forSpeed } from "../onnx/for-speed.ts";
import { inputValue } from "../onnx/graph.ts";
import { gemm } from "../onnx/operators.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { float32 } from "../tensor.ts";
import { classifierFeeds } from "./classification.ts";

/** Examples at once; there are no logits, so more would fit, but batches of mixed lengths are padded. */
const BATCH = 16;

/** What features are computed with. */
export interface PoolingDependencies {
  readonly runtime: Runtime;
  readonly model: BaseModel;
  readonly sessionOptions: SessionOptions;
  /** At most so many different lengths of batches. */
  readonly bucketsMax: number;
}

/**
 * pooled = M h.  Inputs: input_ids i64[B,T], for classifiers attention_mask i64[B,T], M f32[B, B*T] with 1/n at the n
 * tokens of each example.  Outputs: pooled f32[B, D].
 */
export function poolingGraph(
  model: BaseModel,
  { examples, tokens }: { readonly examples: number; readonly tokens: number },
): OnnxGraph {
  const inputIds = inputValue("input_ids", "int64", [examples, tokens]);
  const attentionMask = inputValue("attention_mask", "int64", [examples, tokens]);
  const means = inputValue("means", "float32", [examples, examples * tokens]);
  const { weight } = model;
  const hidden = model.hidden({ inputIds, attentionMask, weight, hooks: {} });
  // Behind an encoder comes no norm but the head's own layer.
  const rows = model.classifier ? hidden : model.normalize(hidden, weight);
  const inputs = [inputIds, ...(model.classifier ? [attentionMask] : []), means];
  return finishedGraph(model, forSpeed({ inputs, outputs: { pooled: gemm(means, rows, {}) } }).graph);
}

/** Features of examples, in their order.  Shapes: at least one example. */
export async function pooledFeatures(
  { runtime, model, sessionOptions, bucketsMax }: PoolingDependencies,
  examples: readonly Example[],
): Promise<PooledFeatures> {
  // Some models have an output narrower than their stream.
  const width = model.classifier ? model.shape.hidden : model.outputMatrix(model.weight).shape[1]!;
  const values = new Float32Array(examples.length * width);
  for (const { shape, members } of planBuckets(examples, { batchSize: BATCH, bucketsMax })) {
    const graph = poolingGraph(model, { examples: BATCH, tokens: shape.tokens });
    const session = await runtime.load(encodeModel(graph), sessionOptions);
    try {
      const own = members.map((i) => examples[i]!);
      for (const [b, batch] of evaluationBatches(own, { shape }).entries()) {
        const inside = members.slice(b * BATCH, (b + 1) * BATCH);
        const means = new Float32Array(BATCH * BATCH * shape.tokens);
        for (const [row, i] of inside.entries()) {
          const { tokens, promptLength } = examples[i]!;
          const length = model.classifier ? promptLength : tokens.length;
          const at = (row * BATCH + row) * shape.tokens;
          means.fill(1 / length, at, at + length);
        }
        const { input_ids, attention_mask } = classifierFeeds(batch, model.classifier?.reads ?? "first token");
        const { pooled } = await session.run({
          ...(model.classifier ? { input_ids, attention_mask } : { input_ids: batch.inputIds }),
          means: float32([BATCH, BATCH * shape.tokens], means),
        });
        const rows = pooled!.data as Float32Array;
        for (const [row, i] of inside.entries()) values.set(rows.subarray(row * width, (row + 1) * width), i * width);
      }
    } finally {
      await session.close();
    }
  }
  if (!model.classifier || model.classifier.reads === "each token") return { values, width, classCount: 1 };
  const classes = examples.map(({ tokens, promptLength }) => tokens[promptLength]!);
  return { values, width, classes, classCount: model.classifier.labels.length };
}
