/**
 * Training an ONNX file: choose weights by name, or attach an adapter to linear layers, and get a graph that
 * computes the loss and one gradient per chosen tensor. The file is read by `onnx/codec.decodeModel`.
 */
import { gradient } from "../autodiff/gradient.ts";
import { NodeError } from "../errors.ts";
import { intAttribute, intsAttribute } from "../onnx/attributes.ts";
import { isFloat } from "../onnx/dtype.ts";
import { forSpeed } from "../onnx/for-speed.ts";
import { apply, applyAll, constantValue, inputValue, nodesInOrder } from "../onnx/graph.ts";
import {
  cast,
  div,
  ints,
  logSumExp,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  scalar,
  sub,
  where,
} from "../onnx/operators.ts";
import { rewrite } from "../onnx/rewrite.ts";
import type { ExternalRange, OnnxGraph, OnnxNode, OnnxValue } from "../onnx/value.ts";
import { int64, sizeOf } from "../tensor.ts";
import type { AdapterHooks, LinearSite } from "./base-model.ts";
import { fits, unmatched } from "./name-pattern.ts";

/**
 * The loss over one output of the model.
 * `cross-entropy`: output f[..., C] in logits, labels i64[...]; the mean over labels that are not negative.
 * `mean-squared-error`: labels of the output's own shape; the mean over all elements.
 * `output`: the model computes its loss itself; the output holds one number.
 */
export interface OnnxLoss {
  readonly kind: "cross-entropy" | "mean-squared-error" | "output";
  readonly output: string;
  /** Name of the graph's new input; `labels` when absent. */
  readonly labels?: string;
}

/** Which weights are trained, and on which loss. */
export interface TrainableOptions {
  /**
   * Names of weights to train, where `*` stands for any text: `*.bias`. Single numbers are chosen by their whole name
   * only: most of them are an exporter's constants, such as a bound or the scale of the scores.
   */
  readonly patterns: readonly string[];
  readonly loss: OnnxLoss;
  /** Inputs of the graph that train as well, such as an adapter's (see `attachAdapter`). */
  readonly inputs?: readonly string[];
}

/** A tensor that trains: fed under its name, its gradient read under another. */
export interface TrainableTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** The value in the file (a constant or a range of an external file); the input itself where the caller feeds it. */
  readonly weight: OnnxValue;
  /** Name of the output that is its gradient. */
  readonly gradient: string;
}

/** A graph that computes a loss and its gradients, and the weights that it trains. */
export interface TrainableGraph {
  /** Inputs: the model's, the labels, one per chosen weight.  Outputs: `loss` f[] and one gradient per tensor. */
  readonly graph: OnnxGraph;
  readonly tensors: readonly TrainableTensor[];
}

/**
 * The training graph of a model: dL/dw for every chosen weight w.
 * Throws: MODEL_CONFIG when a pattern fits no weight or the loss does not fit the output; GRADIENT_RULE_MISSING naming
 * operator, node and path when a gradient would have to pass an operator without a rule.
 */
export function trainableGraph(graph: OnnxGraph, options: TrainableOptions): TrainableGraph {
  const output = Object.hasOwn(graph.outputs, options.loss.output) ? graph.outputs[options.loss.output] : undefined;
  if (!output) {
    const there = Object.keys(graph.outputs).join(", ");
    throw new NodeError("MODEL_CONFIG", `the model has no output ${options.loss.output}; it has ${there}`);
  }
  const chosen = chosenWeights(output, options.patterns);
  const taken = new Set(graph.inputs.map(nameOf));
  const fresh = (name: string, weight: Pick<OnnxValue, "dtype" | "shape">): OnnxValue => {
    if (taken.has(name)) throw new NodeError("MODEL_CONFIG", `the model has an input called ${name} already`);
    taken.add(name);
    return inputValue(name, weight.dtype, weight.shape);
  };
  const fed = new Map(chosen.map((weight) => [weight, fresh(nameOf(weight), weight)]));
  const inputs = [...graph.inputs, ...fed.values()];
  const trained = rewrite({ inputs, outputs: { output } }, (node, read) => {
    if (!read.some((value) => value && fed.has(value))) return undefined;
    const swapped = read.map((value) => value && (fed.get(value) ?? value));
    return applyAll(node.op, swapped, { ...node, outputs: node.outputs.length });
  }).graph.outputs.output!;
  const labels = labelsOf(options.loss, output, fresh);
  const loss = lossOf(options.loss, fed.get(trained) ?? trained, labels);

  const own = (options.inputs ?? []).map((name) => {
    const value = graph.inputs.find((input) => nameOf(input) === name);
    if (!value || !isFloat(value.dtype)) throw new NodeError("MODEL_CONFIG", `the graph has no real input ${name}`);
    return value;
  });
  const wanted = [...fed.values(), ...own];
  const gradients = gradient(loss, wanted);
  const tensors = wanted.map((value, i) => {
    return {
      name: nameOf(value),
      shape: value.shape,
      weight: chosen[i] ?? value,
      gradient: `${nameOf(value)}.gradient`,
    };
  });
  const outputs = Object.fromEntries([["loss", loss], ...tensors.map((t, i) => [t.gradient, gradients[i]!] as const)]);
  const all = labels ? [...inputs, labels] : inputs;
  return { graph: forSpeed({ inputs: all, outputs }).graph, tensors };
}

/** Linear layers whose weight or node fits a pattern, in execution order: products of values with a weight matrix. */
export function linearSites(graph: OnnxGraph, patterns: readonly string[]): readonly LinearSite[] {
  return nodesInOrder(Object.values(graph.outputs)).flatMap((node) => siteOf(node, patterns) ?? []);
}

/**
 * The graph with an adapter's edit at every linear layer that fits a pattern; x and y are given as matrices of rows, y
 * without the bias where the model adds that in a node of its own.
 * inputs: values that the edit reads and the graph must then be fed.
 * Throws: MODEL_CONFIG when no linear layer fits.
 */
export function attachAdapter(
  graph: OnnxGraph,
  adapter: {
    readonly patterns: readonly string[];
    readonly inputs: readonly OnnxValue[];
    readonly linear: NonNullable<AdapterHooks["linear"]>;
  },
): OnnxGraph {
  const { graph: edited, replaced } = rewrite(
    { ...graph, inputs: [...graph.inputs, ...adapter.inputs] },
    (node, read) => {
      const site = siteOf(node, adapter.patterns);
      if (!site) return undefined;
      const { attributes, domain, label } = node;
      const y = apply(node.op, read, { attributes, domain, label });
      const rows = sizeOf(y.shape.slice(0, -1));
      const x = reshape(read[0]!, [rows, site.inputs]);
      return [reshape(adapter.linear(site, x, reshape(y, [rows, site.outputs])), y.shape)];
    },
  );
  if (replaced === 0)
    throw unmatched(
      adapter.patterns,
      "linear layer",
      linearSites(graph, ["*"]).map((s) => s.path),
    );
  return edited;
}

/** Names of the files that hold the graph's external weights, to be given to the runtime by these names. */
export function externalFiles(graph: OnnxGraph): readonly string[] {
  return [...new Set(externalRanges(graph).map(({ location }) => location))].sort();
}

/** The places and the names of the graph's external weights. */
export function externalRanges(graph: OnnxGraph): readonly (ExternalRange & { readonly name: string })[] {
  const inputs = new Set(nodesInOrder(Object.values(graph.outputs)).flatMap((node) => node.inputs));
  return [...inputs, ...Object.values(graph.outputs)].flatMap((value) =>
    value?.source.kind === "external" ? [{ name: value.source.name, ...value.source.range }] : [],
  );
}

function nameOf({ source }: OnnxValue): string {
  return source.kind === "node" ? "" : (source.name ?? "");
}

/** Named real constants that the values depend on, in the order in which they are read. */
function weightsOf(values: readonly OnnxValue[]): readonly OnnxValue[] {
  const read = [...nodesInOrder(values).flatMap((node) => node.inputs), ...values];
  return [...new Set(read.filter((value) => value !== undefined).filter(isWeight))];
}

const isWeight = (value: OnnxValue): boolean =>
  (value.source.kind === "constant" || value.source.kind === "external") &&
  nameOf(value) !== "" &&
  isFloat(value.dtype);

function chosenWeights(output: OnnxValue, patterns: readonly string[]): readonly OnnxValue[] {
  const weights = weightsOf([output]);
  const chooses = (pattern: string, weight: OnnxValue): boolean =>
    weight.shape.length === 0 ? pattern === nameOf(weight) : fits(pattern, nameOf(weight));
  for (const pattern of patterns) {
    if (!weights.some((weight) => chooses(pattern, weight))) throw unmatched([pattern], "weight", weights.map(nameOf));
  }
  return weights.filter((weight) => patterns.some((pattern) => chooses(pattern, weight)));
}

/** How exporters number layers: `layer.3`, `blocks_3_`, `h/3`. */
const LAYER_NUMBER = /(?:layers?|blocks?|h)[._/](\d{1,4})(?!\d)/;

/** MatMul(x, W) or Gemm(x, W, b) with a named weight matrix W, perhaps transposed by a node of its own. */
function siteOf(node: OnnxNode, patterns: readonly string[]): LinearSite | undefined {
  const [x, matrix] = node.inputs;
  if (!x || !matrix || matrix.shape.length !== 2 || x.shape.length < 2) return undefined;
  if (node.op !== "MatMul" && (node.op !== "Gemm" || intAttribute(node.attributes, "transA", 0) === 1))
    return undefined;
  const weight = transposedWeight(matrix) ?? matrix;
  if (!isWeight(weight)) return undefined;
  const name = nameOf(weight);
  if (!patterns.some((pattern) => fits(pattern, name) || fits(pattern, node.label))) return undefined;
  const turned = node.op === "Gemm" && intAttribute(node.attributes, "transB", 0) === 1;
  const [inputs, outputs] = turned ? [matrix.shape[1]!, matrix.shape[0]!] : [matrix.shape[0]!, matrix.shape[1]!];
  const numbered = [name, node.label].map((text) => LAYER_NUMBER.exec(text)?.[1]).find((text) => text !== undefined);
  // As it lies in the file, before a Transpose of its own.
  const isOutputsFirst = turned !== (weight !== matrix);
  const stored = isOutputsFirst ? {} : { stored: "inputs x outputs" as const };
  return { path: name, layer: Number(numbered ?? 0), inputs, outputs, ...stored };
}

function transposedWeight(matrix: OnnxValue): OnnxValue | undefined {
  if (matrix.source.kind !== "node" || matrix.source.node.op !== "Transpose") return undefined;
  const order = intsAttribute(matrix.source.node.attributes, "perm") ?? [1, 0];
  return order[0] === 1 ? matrix.source.node.inputs[0] : undefined;
}

function labelsOf(
  loss: OnnxLoss,
  output: OnnxValue,
  fresh: (name: string, like: Pick<OnnxValue, "dtype" | "shape">) => OnnxValue,
): OnnxValue | undefined {
  const name = loss.labels ?? "labels";
  switch (loss.kind) {
    case "cross-entropy":
      return fresh(name, { dtype: "int64", shape: output.shape.slice(0, -1) });
    case "mean-squared-error":
      return fresh(name, output);
    case "output":
      return undefined;
  }
}

function lossOf(loss: OnnxLoss, output: OnnxValue, labels: OnnxValue | undefined): OnnxValue {
  if (!isFloat(output.dtype)) {
    throw new NodeError("MODEL_CONFIG", `the output ${loss.output} is ${output.dtype}: there is nothing to learn from`);
  }
  if (loss.kind === "output") {
    if (sizeOf(output.shape) === 1) return reshape(output, []);
    throw new NodeError("MODEL_CONFIG", `the output ${loss.output} of shape [${output.shape}] is no loss`);
  }
  if (loss.kind === "cross-entropy") return crossEntropy(output, labels!);
  const error = sub(output, labels!);
  const axes = output.shape.map((_, axis) => axis);
  return axes.length === 0 ? mul(error, error) : reduceMean(mul(error, error), axes, false);
}

/** mean over labels y >= 0 of log sum_c exp(z_c) - z_y */
function crossEntropy(output: OnnxValue, labels: OnnxValue): OnnxValue {
  const classes = output.shape.at(-1);
  if (classes === undefined)
    throw new NodeError("MODEL_CONFIG", "the cross entropy of one number: there are no classes");
  const zero = constantValue(int64([], [0]));
  const rows = sizeOf(labels.shape);
  const z = reshape(output, [rows, classes]);
  const y = reshape(labels, [rows]);
  const labelled = apply("GreaterOrEqual", [y, zero]);
  const places = apply("Unsqueeze", [where(labelled, y, zero), ints([1])]);
  const picked = apply("GatherElements", [z, places], { attributes: { axis: { int: 1 } } });
  const counted = cast(labelled, z.dtype);
  const sum = reduceSum(mul(sub(logSumExp(z), reshape(picked, [rows])), counted), [0], false);
  return div(sum, apply("Max", [reduceSum(counted, [0], false), scalar(1, z.dtype)]));
}
