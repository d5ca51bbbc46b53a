/** Normalisations by their equations.  Source: ONNX operators, https://onnx.ai/onnx/operators. */
import { sizeOf } from "../../tensor.ts";
import { axisIndex, floatAttribute, intAttribute } from "../attributes.ts";
import { apply } from "../graph.ts";
import { add, div, expand, mul, reduceMean, reshape, scalar, sqrt, sub } from "../operators.ts";
import type { OnnxValue } from "../value.ts";
import { type Lowering, required } from "./lowering.ts";

/** One number per channel against x [N, C, ...]. */
function perChannel(x: OnnxValue, vector: OnnxValue): OnnxValue {
  return reshape(vector, [sizeOf(vector.shape), ...x.shape.slice(2).map(() => 1)]);
}

/** (x - mean) / sqrt(variance + epsilon) */
function standardized(x: OnnxValue, mean: OnnxValue, variance: OnnxValue, epsilon: number): OnnxValue {
  return div(sub(x, mean), sqrt(add(variance, scalar(epsilon, x.dtype))));
}

/** Groups of channels standardised over their channels and places: x [N, C, ...] -> the same shape. */
function groupStandardized(x: OnnxValue, groups: number, epsilon: number): OnnxValue {
  const channels = x.shape[1] ?? 0;
  if (!(groups >= 1) || channels % groups !== 0) throw new RangeError(`${channels} channels in ${groups} groups`);
  const rows = reshape(x, [x.shape[0]!, groups, sizeOf(x.shape) / Math.max(1, x.shape[0]! * groups)]);
  const mean = reduceMean(rows, [2], true);
  const centred = sub(rows, mean);
  return reshape(standardized(rows, mean, reduceMean(mul(centred, centred), [2], true), epsilon), x.shape);
}

/** Lowerings of normalisations by operator. */
export const NORMALIZATION: Readonly<Record<string, Lowering>> = {
  /** Inference: y = scale (x - mean) / sqrt(variance + epsilon) + bias, the statistics given. */
  BatchNormalization: (node) => {
    if (intAttribute(node.attributes, "training_mode", 0) === 1 || node.outputs > 1) {
      throw new RangeError("batch statistics of training are not supported; export the model for inference");
    }
    const x = required(node, 0);
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => perChannel(x, required(node, i)));
    const epsilon = floatAttribute(node.attributes, "epsilon", 1e-5);
    // The factor of the frozen statistics is computed once, when the runtime loads the graph.
    const factor = div(scale!, sqrt(add(variance!, scalar(epsilon, x.dtype))));
    return [add(mul(sub(x, mean!), factor), bias!)];
  },
  InstanceNormalization: (node) => {
    const x = required(node, 0);
    const normal = groupStandardized(x, x.shape[1] ?? 0, floatAttribute(node.attributes, "epsilon", 1e-5));
    return [add(mul(normal, perChannel(x, required(node, 1))), perChannel(x, required(node, 2)))];
  },
  /** Scale and bias per group in set 18, per channel since 21. */
  GroupNormalization: (node) => {
    const x = required(node, 0);
    const groups = intAttribute(node.attributes, "num_groups", 1);
    const normal = groupStandardized(x, groups, floatAttribute(node.attributes, "epsilon", 1e-5));
    const spread = (vector: OnnxValue): OnnxValue => {
      if (node.version >= 21) return perChannel(x, vector);
      const each = x.shape[1]! / groups;
      return perChannel(x, reshape(expand(reshape(vector, [groups, 1]), [groups, each]), [groups * each]));
    };
    return [add(mul(normal, spread(required(node, 1))), spread(required(node, 2)))];
  },
  /** onnxruntime has had it under another name; the scale is spread to the normalised axes. */
  RMSNormalization: (node) => {
    const [x, scale] = [required(node, 0), required(node, 1)];
    const axis = axisIndex(intAttribute(node.attributes, "axis", -1), x.shape.length);
    const attributes = { axis: { int: axis }, epsilon: { float: floatAttribute(node.attributes, "epsilon", 1e-5) } };
    const options = { attributes, label: node.label };
    return [apply("SimplifiedLayerNormalization", [x, expand(scale, x.shape.slice(axis))], options)];
  },
};
