/**
 * Training an ONNX file on one machine: weights chosen by name, or LoRA beside linear layers chosen by name,
 * which is merged into them at the end: W + s B A. The file stays as it is but for the values of those weights.
 */
import { counted } from "../../protocol/counted.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { stackRows, type TensorRow } from "../data/tensor-rows.ts";
import { NodeError } from "../errors.ts";
import { addProduct } from "../interchange/merged-model.ts";
import type { ExternalData, Runtime, Session } from "../interface/runtime.ts";
import type { LinearSite } from "../model/base-model.ts";
import type { OnnxLoss, TrainableGraph, TrainableTensor } from "../model/onnx-file.ts";
import { attachAdapter, externalFiles, externalRanges, linearSites, trainableGraph } from "../model/onnx-file.ts";
import type { WeightFile } from "../model/weight-file.ts";
import { decodeModel, encodeModel, replaceWeights } from "../onnx/codec.ts";
import { inputValue, nodesInOrder } from "../onnx/graph.ts";
import { gemm } from "../onnx/operators.ts";
import type { OnnxGraph, OnnxValue } from "../onnx/value.ts";
import type { OnnxModelFile } from "../system/files/onnx-model-file.ts";
import type { Tensor } from "../tensor.ts";
import { float32, sizeOf } from "../tensor.ts";
import { clipGradient, optimizerStep, zeroMoments } from "../training/optimizer.ts";
import { learningRateAt } from "../training/schedule.ts";
import { NOT_FINITE_STEPS_MAX } from "../training/trainer.ts";

/** One training of an ONNX file. */
export interface OnnxTrainingOptions {
  /** Names of weights to train, `*` standing for any text. */
  readonly weights: readonly string[];
  /** LoRA beside the linear layers whose weight or node has such a name; absent for none. */
  readonly lora?: { readonly patterns: readonly string[]; readonly rank: number; readonly alpha: number } | undefined;
  readonly loss: OnnxLoss;
  readonly training: Pick<
    TrainingSpec,
    "optimizer" | "momentum" | "learningRate" | "weightDecay" | "gradientClip" | "batchSize" | "schedule" | "accumulate"
  >;
  readonly rows: readonly TensorRow[];
  /** Rows that are not trained on but evaluated before and after, in whole batches; absent or empty for none. */
  readonly heldOut?: readonly TensorRow[];
  readonly steps: number;
  readonly seed: number;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly onStep?: (step: number, loss: number) => void;
}

/** A trained file and how the training went. */
export interface OnnxTrainingResult {
  /** The file with the trained values in it. */
  readonly bytes: Uint8Array;
  /** Weights whose values changed. */
  readonly weights: readonly string[];
  /** Trained values; of LoRA those of its factors. */
  readonly parameters: number;
  readonly losses: readonly number[];
  /** Mean losses on the rows held out; absent where there are none. */
  readonly heldOut?: { readonly before: number; readonly after: number };
  /** Files beside the model that it still refers to. */
  readonly locations: readonly string[];
}

/**
 * A part of the rows in whole batches, drawn by the seed: at least one batch of them is held out, and at least one left.
 * Throws: DATA_TOO_SMALL.
 */
export function holdOut(
  rows: readonly TensorRow[],
  { share, batchSize, seed }: { readonly share: number; readonly batchSize: number; readonly seed: number },
): { readonly rows: readonly TensorRow[]; readonly heldOut: readonly TensorRow[] } {
  const count = batchSize * Math.max(1, Math.round((share * rows.length) / batchSize));
  if (rows.length - count < batchSize) {
    const text = `${counted(rows.length, "row is", "rows are")} too few to hold out ${count} and train on batches of ${batchSize}`;
    throw new NodeError("DATA_TOO_SMALL", text, { count, batchSize, problem: "rows-too-few" });
  }
  const order = createPrng(seed).fork("held-out").shuffle(rows);
  return { rows: order.slice(count), heldOut: order.slice(0, count) };
}

/**
 * Throws: ONNX_INVALID, MODEL_CONFIG, GRADIENT_RULE_MISSING for what cannot be read or trained; DATA_FORMAT,
 * DATA_TOO_SMALL for rows that do not fit; TRAINING_DIVERGED.
 */
export async function trainOnnx(
  runtime: Runtime,
  file: OnnxModelFile,
  options: OnnxTrainingOptions,
): Promise<OnnxTrainingResult> {
  const { rows, seed, training, heldOut = [] } = options;
  const { batchSize } = training;
  if (options.weights.length === 0 && !options.lora) {
    throw new NodeError("CONFIG_INVALID", "nothing is to be trained; name weights or linear layers");
  }
  if (rows.length < batchSize) {
    throw new NodeError(
      "DATA_TOO_SMALL",
      `${counted(rows.length, "row is", "rows are")} less than one batch of ${batchSize}`,
    );
  }
  const graph = decodeModel(file.bytes, {
    dimensions: dimensionsOf(rows[0]!, batchSize),
    outputs: [options.loss.output],
  });
  const { step, sites, locations } = build(graph, options);
  const files = file.open(locations);
  checkRanges(graph, { model: file.path, files });
  const slots = layOut(step.tensors);
  const theta = new Float32Array(slots.reduce((sum, { length }) => sum + length, 0));
  const read = (value: OnnxValue): Float32Array => {
    if (value.source.kind === "constant") return value.source.data as Float32Array;
    if (value.source.kind !== "external") throw new RangeError("a weight that is computed");
    const { location, offset, length } = value.source.range;
    return new Float32Array(
      files
        .find(({ path }) => path === location)!
        .read(offset, length)
        .slice().buffer,
    );
  };
  for (const { tensor, offset } of slots) {
    theta.set(tensor.weight.source.kind === "input" ? factorStart(tensor, seed) : read(tensor.weight), offset);
  }
  const session = await runtime.load(encodeModel(step.graph), { threads: options.threads, externalData: files });
  let losses: readonly number[];
  let evaluated: OnnxTrainingResult["heldOut"];
  try {
    const trained = { step, slots, theta };
    const evaluate = () => lossOn(heldOut, { runtime, files, ...trained }, options);
    const before = heldOut.length > 0 ? await evaluate() : undefined;
    losses = await takeSteps(session, trained, options);
    if (before !== undefined) evaluated = { before, after: await evaluate() };
  } finally {
    await session.close();
  }
  const trained = new Map(
    slots.map(({ tensor, offset, length }) => [tensor.name, theta.subarray(offset, offset + length)]),
  );
  const values = new Map(
    slots.flatMap(({ tensor: { name, weight } }) =>
      weight.source.kind === "input" ? [] : [[name, trained.get(name)!] as const],
    ),
  );
  for (const { site, value } of sites) {
    const { rank, alpha } = options.lora!;
    const W = values.get(site.path) ?? read(value).slice();
    const [A, B] = [trained.get(`${site.path}.lora_A`)!, trained.get(`${site.path}.lora_B`)!];
    addProduct(W, { site, A, B, rank, scale: alpha / rank });
    values.set(site.path, W);
  }
  const bytes = replaceWeights(file.bytes, values);
  return {
    bytes,
    weights: [...values.keys()],
    parameters: theta.length,
    losses,
    ...(evaluated && { heldOut: evaluated }),
    locations,
  };
}

/** Before anything is allocated for them.  Throws: ONNX_INVALID for weights that lie beyond the end of their file. */
function checkRanges(
  graph: OnnxGraph,
  { model, files }: { readonly model: string; readonly files: readonly WeightFile[] },
): void {
  const sizes = new Map(files.map(({ path, fileBytes }) => [path, fileBytes]));
  for (const { name, location, offset, length } of externalRanges(graph)) {
    const size = sizes.get(location) ?? 0;
    if (offset + length <= size) continue;
    const text = `${model}: the weight ${name} would stand in bytes ${offset} to ${offset + length} of ${location}, which has ${size}; get both files again`;
    throw new NodeError("ONNX_INVALID", text);
  }
}

interface Slot {
  readonly tensor: TrainableTensor;
  readonly offset: number;
  readonly length: number;
}

/** The steps, theta in place; the losses of those that counted. */
async function takeSteps(
  session: Session,
  trained: Trained,
  { rows, seed, training, steps, signal, loss: kind, onStep }: OnnxTrainingOptions,
): Promise<readonly number[]> {
  const { slots, theta } = trained;
  const { batchSize, accumulate = 1 } = training;
  const [gradient, part] = [new Float32Array(theta.length), new Float32Array(theta.length)];
  const moments = zeroMoments(theta.length);
  const feedsOf = feeding(trained);
  const gradients = Object.fromEntries(slots.map((slot) => [slot.tensor.gradient, view(slot, part)]));
  const lossOut = new Float32Array(1);
  const outputs = { loss: float32([], lossOut), ...gradients };
  const losses: number[] = [];
  let notFinite = 0;
  for (let t = 0; t < steps && !signal.aborted; t++) {
    const batches = Array.from({ length: accumulate }, (_, j) =>
      batchAt(rows, { batchSize, seed, step: t * accumulate + j }),
    );
    const weights = weightsOf(batches, kind);
    let loss = 0;
    gradient.fill(0);
    for (const [j, batch] of batches.entries()) {
      if (weights[j] === 0) continue;
      await session.run(feedsOf(batch), outputs);
      loss += weights[j]! * lossOut[0]!;
      for (let i = 0; i < gradient.length; i++) gradient[i]! += weights[j]! * part[i]!;
    }
    onStep?.(t + 1, loss);
    if (!Number.isFinite(loss) || Number.isNaN(clipGradient(gradient, training.gradientClip))) {
      notFinite += 1;
      if (notFinite < NOT_FINITE_STEPS_MAX) continue;
      const text = `the loss was not finite for ${counted(notFinite, "step")} in a row; lower the learning rate`;
      throw new NodeError("TRAINING_DIVERGED", text);
    }
    notFinite = 0;
    losses.push(loss);
    optimizerStep(theta, gradient, moments, { ...training, learningRate: learningRateAt(t, training, steps) });
  }
  return losses;
}

interface Trained {
  readonly step: TrainableGraph;
  readonly slots: readonly Slot[];
  readonly theta: Float32Array;
}

const view = ({ tensor, offset, length }: Slot, all: Float32Array): Tensor =>
  float32(tensor.shape, all.subarray(offset, offset + length));

/** The feeds of a batch of rows: the model's inputs, the labels, and the weights as they are when it runs. */
function feeding({ step, slots, theta }: Trained): (batch: readonly TensorRow[]) => Record<string, Tensor> {
  const weights = Object.fromEntries(slots.map((slot) => [slot.tensor.name, view(slot, theta)]));
  const inputs = step.graph.inputs.flatMap(({ source, dtype }) =>
    source.kind === "input" && !Object.hasOwn(weights, source.name) ? [{ name: source.name, dtype }] : [],
  );
  return (batch) => ({
    ...Object.fromEntries(inputs.map(({ name, dtype }) => [name, stackRows(batch, name, dtype)])),
    ...weights,
  });
}

/**
 * Shares of batches in the mean over all of them as if they were one: of a mean over labels by their labels, else alike.
 * A single batch counts whole, whatever its labels.
 */
function weightsOf(batches: readonly (readonly TensorRow[])[], { kind, labels = "labels" }: OnnxLoss): number[] {
  if (kind !== "cross-entropy" || batches.length === 1) return batches.map(() => 1 / batches.length);
  const counts = batches.map((batch) =>
    batch.reduce((sum, row) => sum + (row.get(labels)?.values.filter((label) => label >= 0).length ?? 0), 0),
  );
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (all === 0 ? 1 / counts.length : count / all));
}

/** The mean loss on rows, of which whole batches are taken. */
async function lossOn(
  rows: readonly TensorRow[],
  { runtime, files, ...trained }: Trained & { readonly runtime: Runtime; readonly files: readonly ExternalData[] },
  { threads, training: { batchSize }, loss: kind }: OnnxTrainingOptions,
): Promise<number> {
  const { inputs, outputs } = trained.step.graph;
  const model = encodeModel({ inputs, outputs: { loss: outputs.loss! } });
  const session = await runtime.load(model, { threads, externalData: files });
  try {
    const feedsOf = feeding(trained);
    const batches = Array.from({ length: Math.floor(rows.length / batchSize) }, (_, i) =>
      rows.slice(i * batchSize, (i + 1) * batchSize),
    );
    const weights = weightsOf(batches, kind);
    let mean = 0;
    for (const [i, batch] of batches.entries()) {
      if (weights[i] === 0) continue;
      const { loss } = await session.run(feedsOf(batch));
      mean += weights[i]! * Number(loss!.data[0]);
    }
    return mean;
  } finally {
    await session.close();
  }
}

interface Site {
  readonly site: LinearSite;
  /** The weight itself. */
  readonly value: OnnxValue;
}

function build(graph: OnnxGraph, { weights, lora, loss }: OnnxTrainingOptions) {
  const locations = externalFiles(graph);
  const sites = lora ? loraSites(graph, lora.patterns) : [];
  const factors = sites.flatMap(({ site: { path, inputs, outputs } }) => [
    inputValue(`${path}.lora_A`, "float32", [lora!.rank, inputs]),
    inputValue(`${path}.lora_B`, "float32", [outputs, lora!.rank]),
  ]);
  const byName = new Map(factors.map((value) => [value.source.kind === "input" ? value.source.name : "", value]));
  const edited = lora
    ? attachAdapter(graph, {
        patterns: lora.patterns,
        inputs: factors,
        linear: ({ path }, x, y) =>
          gemm(gemm(x, byName.get(`${path}.lora_A`)!, { transB: true }), byName.get(`${path}.lora_B`)!, {
            transB: true,
            alpha: lora.alpha / lora.rank,
            c: y,
          }),
      })
    : graph;
  const step: TrainableGraph = trainableGraph(edited, { patterns: weights, loss, inputs: [...byName.keys()] });
  const wrong = step.tensors.find(({ weight }) => weight.dtype !== "float32");
  if (wrong) {
    const text = `the weight ${wrong.name} is ${wrong.weight.dtype}; only float32 weights are trained: convert the model`;
    throw new NodeError("MODEL_CONFIG", text);
  }
  return { step, sites, locations };
}

/** One site for each weight: a weight that several layers share has one pair of factors. */
function loraSites(graph: OnnxGraph, patterns: readonly string[]): readonly Site[] {
  const values = new Map<string, OnnxValue>();
  for (const node of nodesInOrder(Object.values(graph.outputs))) {
    for (const value of node.inputs) {
      if (!value || value.source.kind === "node" || value.source.kind === "input") continue;
      if (value.source.name !== undefined) values.set(value.source.name, value);
    }
  }
  const sites = new Map<string, Site>();
  for (const site of linearSites(graph, patterns)) {
    const value = values.get(site.path)!;
    const other = sites.get(site.path)?.site;
    if (value.dtype !== "float32" || (other && other.stored !== site.stored)) {
      const why = other ? "is used in two ways, upright and turned" : `is ${value.dtype}, not float32`;
      throw new NodeError("MODEL_CONFIG", `LoRA beside ${site.path}: the weight ${why}`);
    }
    sites.set(site.path, { site, value });
  }
  return [...sites.values()];
}

/** Sizes of every input's dimensions: the batch, then those of the row. */
function dimensionsOf(row: TensorRow, batchSize: number): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...row].flatMap(([name, { shape }]) => [batchSize, ...shape].map((size, axis) => [`${name}:${axis}`, size])),
  );
}

function layOut(tensors: readonly TrainableTensor[]): readonly Slot[] {
  let offset = 0;
  return tensors.map((tensor) => {
    const slot = { tensor, offset, length: sizeOf(tensor.shape) };
    offset += slot.length;
    return slot;
  });
}

/** A uniform in +-1/sqrt(in), B = 0: the start edits nothing.  Source: Hu et al. 2021, arXiv:2106.09685. */
function factorStart({ name, shape }: TrainableTensor, seed: number): Float32Array {
  const out = new Float32Array(sizeOf(shape));
  if (name.endsWith(".lora_B")) return out;
  const [stream, bound] = [createPrng(seed).fork("adapter").fork(name), 1 / Math.sqrt(shape[1]!)];
  return out.map(() => (2 * stream.uniform() - 1) * bound);
}

/** Rows without replacement, pass by pass, each shuffled by a stream of its own. */
function batchAt(
  rows: readonly TensorRow[],
  { batchSize, seed, step }: { readonly batchSize: number; readonly seed: number; readonly step: number },
): readonly TensorRow[] {
  const stream = createPrng(seed).fork("batch-order");
  const orders = new Map<number, readonly TensorRow[]>();
  return Array.from({ length: batchSize }, (_, i) => {
    const position = step * batchSize + i;
    const epoch = Math.floor(position / rows.length);
    const order = orders.get(epoch) ?? stream.fork(`epoch-${epoch}`).shuffle(rows);
    orders.set(epoch, order);
    return order[position % rows.length]!;
  });
}
