/**
 * Pre-training of the embedded base model: the same graphs and the same autodiff as fine-tuning, with all weights in
 * the flat vector instead of an adapter.
 */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { Prng } from "../../protocol/prng.ts";
import { gradient } from "../autodiff/gradient.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { ModelFamily } from "../model/base-model.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { encodeModel } from "../onnx/codec.ts";
import { forSpeed } from "../onnx/for-speed.ts";
import { inputValue } from "../onnx/graph.ts";
import { gather, mul, reduceSum } from "../onnx/operators.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import { crossEntropy } from "../training/cross-entropy.ts";
import { adamWStep, clipGradient, zeroMoments } from "../training/optimizer.ts";
import { unflatten } from "../training/training-step.ts";
import type { PretrainingDocument } from "./corpus.ts";

/** How long and how fast the base model is trained. */
export interface PretrainSettings {
  readonly steps: number;
  /** B, windows in a batch. */
  readonly windows: number;
  /** T, tokens in a window; whole documents are packed into it. */
  readonly tokens: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly warmupSteps: number;
}

/**
 * What a token of a task's prompt weighs in the loss, against 1 for text and responses: prompts are drawn at random,
 * and little can be learned from guessing them.
 */
const PROMPT_WEIGHT = 0.1;

/** The weight matrices start normal with this deviation, as in Llama; norms start at 1. */
const START_DEVIATION = 0.02;
const GRADIENT_NORM_MAX = 1;
/** Fixed, because sums over threads round differently for another number of them. */
const THREADS = 2;

/** Inputs: input_ids i64[B,T], labels i64[B*T], weights f32[B*T], parameters f32[P].  Outputs: loss, gradient f32[P]. */
export function pretrainGraph(
  family: ModelFamily,
  slots: readonly AdapterSlot[],
  shape: { windows: number; tokens: number },
): OnnxGraph {
  const rows = shape.windows * shape.tokens;
  const inputIds = inputValue("input_ids", "int64", [shape.windows, shape.tokens]);
  const labelIds = inputValue("labels", "int64", [rows]);
  const weights = inputValue("weights", "float32", [rows]);
  const labelRows = inputValue("label_rows", "int64", [rows]);
  const parameters = inputValue("parameters", "float32", [slots.reduce((sum, slot) => sum + slot.length, 0)]);
  const tensor = unflatten(parameters, slots);
  const weight = ({ name }: { readonly name: string }) => tensor(name);
  const hidden = family.hidden({ inputIds, weight, hooks: {} });
  const losses = crossEntropy(family, weight, { rows: gather(hidden, labelRows), labelIds });
  const loss = reduceSum(mul(losses, weights), [0], false);
  const [flat] = gradient(loss, [parameters]);
  const inputs = [inputIds, labelIds, weights, labelRows, parameters];
  return forSpeed({ inputs, outputs: { loss, gradient: flat! } }).graph;
}

/** The random start of all weights. */
export function startWeights(slots: readonly AdapterSlot[], prng: Prng): Float32Array {
  const theta = new Float32Array(slots.reduce((sum, slot) => sum + slot.length, 0));
  for (const { name, shape, offset, length } of slots) {
    const stream = prng.fork(name);
    for (let i = 0; i < length; i++) theta[offset + i] = shape.length === 1 ? 1 : START_DEVIATION * stream.normal();
  }
  return theta;
}

/** Linear warm-up, then a cosine down to a tenth. */
export function learningRateAt(step: number, { steps, warmupSteps, learningRate }: PretrainSettings): number {
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return learningRate * (0.1 + 0.45 * (1 + Math.cos(Math.PI * progress)));
}

/** One pre-training: the model, its text and its settings. */
export interface PretrainOptions {
  readonly family: ModelFamily;
  readonly tokenizer: Tokenizer;
  readonly documents: Iterator<PretrainingDocument>;
  readonly settings: PretrainSettings;
  readonly prng: Prng;
  readonly onStep: (progress: { step: number; loss: number }) => void;
}

/** Train all weights from a random start; returns them in the order of `family.weights`. */
export async function pretrain(runtime: Runtime, options: PretrainOptions): Promise<readonly Float32Array[]> {
  const { family, settings } = options;
  const slots = adapterSlots(family.weights);
  const theta = startWeights(slots, options.prng);
  const moments = zeroMoments(theta.length);
  const session = await runtime.load(encodeModel(pretrainGraph(family, slots, settings)), { threads: THREADS });
  const packer = createPacker(options);
  try {
    for (let step = 0; step < settings.steps; step++) {
      const result = await session.run({ ...packer(), parameters: float32([theta.length], theta) });
      const g = result.gradient!.data as Float32Array;
      clipGradient(g, GRADIENT_NORM_MAX);
      adamWStep(theta, g, moments, {
        learningRate: learningRateAt(step, settings),
        weightDecay: settings.weightDecay,
        beta2: 0.98,
      });
      options.onStep({ step, loss: Number(result.loss!.data[0]) });
    }
  } finally {
    await session.close();
  }
  return slots.map(({ offset, length }) => theta.slice(offset, offset + length));
}

/** Packs whole documents, each with its begin and end token, into windows of T tokens. */
function createPacker({ tokenizer, documents, settings }: PretrainOptions): () => Record<string, Tensor> {
  const { windows, tokens } = settings;
  let waiting: { ids: number[]; weights: number[] } | undefined;
  const next = () => {
    const document = waiting ?? encodeDocument(tokenizer, documents);
    waiting = undefined;
    return document;
  };
  return () => {
    const ids = new Array<number>(windows * tokens).fill(0);
    const labels = new Array<number>(windows * tokens).fill(0);
    const weights = new Float32Array(windows * tokens);
    for (let w = 0; w < windows; w++) {
      let used = 0;
      for (;;) {
        const document = next();
        if (used > 0 && used + document.ids.length > tokens) {
          waiting = document;
          break;
        }
        const length = Math.min(document.ids.length, tokens - used);
        for (let t = 0; t < length; t++) {
          const at = w * tokens + used + t;
          ids[at] = document.ids[t]!;
          if (t + 1 >= document.ids.length) continue;
          labels[at] = document.ids[t + 1]!;
          weights[at] = document.weights[t + 1]!;
        }
        used += length;
        if (used >= tokens) break;
      }
    }
    const total = weights.reduce((sum, x) => sum + x, 0);
    return {
      input_ids: int64([windows, tokens], ids),
      labels: int64([ids.length], labels),
      weights: float32(
        [ids.length],
        weights.map((x) => x / total),
      ),
      label_rows: int64(
        [ids.length],
        ids.map((_, row) => row),
      ),
    };
  };
}

function encodeDocument(
  tokenizer: Tokenizer,
  documents: Iterator<PretrainingDocument>,
): { ids: number[]; weights: number[] } {
  const { value } = documents.next() as IteratorYieldResult<PretrainingDocument>;
  const prompt = tokenizer.encode(value.prompt);
  const response = tokenizer.encode(value.response);
  const ids = [tokenizer.beginId!, ...prompt, ...response, tokenizer.endId!];
  return { ids, weights: ids.map((_, i) => (i <= prompt.length ? PROMPT_WEIGHT : 1)) };
}
