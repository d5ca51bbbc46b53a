/**
 * Gradient rules of convolution and pooling.
 *
 * A convolution is linear in its input and in its weight, and both adjoints are convolutions again: that of the input
 * is the transposed convolution with the same weight, that of the weight lets dy slide over x with strides and
 * dilations exchanged, batch and channels in each other's place.
 */
import { intAttribute } from "../../onnx/attributes.ts";
import { apply, applyAll, constantValue } from "../../onnx/graph.ts";
import { cast, constantOnes, div, ints, reduceSum, reshape, transpose, zeros } from "../../onnx/operators.ts";
import type { Application } from "../../onnx/shapes/rule.ts";
import { convolutionAxes, poolAxes, transposedAxes, type WindowAxis } from "../../onnx/shapes/window.ts";
import type { Attributes, OnnxNode, OnnxValue } from "../../onnx/value.ts";
import { float32, sizeOf } from "../../tensor.ts";
import type { GradientRule } from "../rule.ts";
import { single } from "../rule.ts";

const applicationOf = (node: OnnxNode): Application => ({ ...node, outputCount: node.outputs.length });

function windowAttributes(axes: readonly WindowAxis[], group: number): Attributes {
  return {
    strides: { ints: axes.map((axis) => axis.stride) },
    dilations: { ints: axes.map((axis) => axis.dilation) },
    pads: { ints: [...axes.map((axis) => axis.before), ...axes.map((axis) => axis.after)] },
    group: { int: group },
  };
}

/** dL/dx of y = Conv(x, w); dy [N, M, output...], w [M, C/group, kernel...] -> [N, C, size...]. */
function inputGradient(dy: OnnxValue, w: OnnxValue, axes: readonly WindowAxis[], group: number): OnnxValue {
  // The places behind the last window, which no output saw: the transposed convolution must give them back as zeros.
  const rest = axes.map(({ size, before, after, output, stride, kernel, dilation }) => {
    return size + before + after - ((output - 1) * stride + (kernel - 1) * dilation + 1);
  });
  const attributes = { ...windowAttributes(axes, group), output_padding: { ints: rest } };
  return apply("ConvTranspose", [dy, w], { attributes });
}

/** dL/dw of y = Conv(x, w); x [N, C, size...], dy [N, M, output...] -> [M, C/group, kernel...]. */
function weightGradient(x: OnnxValue, dy: OnnxValue, axes: readonly WindowAxis[], group: number): OnnxValue {
  const [batch, channels, filters] = [x.shape[0]!, x.shape[1]! / group, dy.shape[1]!];
  const spatial = axes.map((_, i) => i + 2);
  const sizes = x.shape.slice(2);
  // The groups stay apart: [N, group, C/group, …] -> [C/group, group N, …], one channel per example of each group.
  const grouped = reshape(x, [batch, group, channels, ...sizes]);
  const examples = transpose(grouped, [2, 1, 0, ...spatial.map((axis) => axis + 1)]);
  const kernels = transpose(dy, [1, 0, ...spatial]);
  const exchanged = axes.map((axis) => ({ ...axis, stride: axis.dilation, dilation: axis.stride }));
  const slid = apply("Conv", [reshape(examples, [channels, group * batch, ...sizes]), kernels], {
    attributes: windowAttributes(exchanged, group),
  });
  // Where the windows leave a rest of the input, dy fits further than the kernel reaches: those places are no weights.
  const begin = slid.shape.map(() => 0);
  const end = [channels, filters, ...axes.map((axis) => axis.kernel)];
  const fits = slid.shape.every((n, axis) => n === end[axis]);
  const cut = fits ? slid : apply("Slice", [slid, ints(begin), ints(end)]);
  return transpose(cut, [1, 0, ...spatial]);
}

/** Sum over examples and places: one number per channel. */
function biasGradient(dy: OnnxValue): OnnxValue {
  return reduceSum(
    dy,
    dy.shape.map((_, axis) => axis).filter((axis) => axis !== 1),
    false,
  );
}

/** 1 / (number of values that the mean of each place is over), one factor per spatial axis. */
function shares(node: OnnxNode, axes: readonly WindowAxis[]): readonly OnnxValue[] {
  const withPads = intAttribute(node.attributes, "count_include_pad", 0) === 1;
  return axes.map((axis, i) => {
    const [low, high] = withPads ? [-axis.before, axis.size + axis.after] : [0, axis.size];
    const counts = Array.from({ length: axis.output }, (_, place) => {
      const begin = place * axis.stride - axis.before;
      const taps = Array.from({ length: axis.kernel }, (_, k) => begin + k * axis.dilation);
      return taps.filter((at) => at >= low && at < high).length;
    });
    const shape = [1, 1, ...axes.map((_, k) => (k === i ? axis.output : 1))];
    return cast(constantValue(float32(shape, counts)), node.inputs[0]!.dtype);
  });
}

/** Places that the last windows reach behind the input and its pads (ceil_mode), as more padding. */
function covered(axes: readonly WindowAxis[]): readonly WindowAxis[] {
  return axes.map((axis) => {
    const reach = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    return { ...axis, after: Math.max(axis.after, reach - axis.size - axis.before) };
  });
}

/** Rules of convolution and pooling by operator. */
export const WINDOW: Readonly<Record<string, GradientRule>> = {
  Conv: single((node, dy) => {
    const [x, w] = node.inputs;
    const axes = convolutionAxes(applicationOf(node));
    const group = intAttribute(node.attributes, "group", 1);
    return [
      () => inputGradient(dy, w!, axes, group),
      () => weightGradient(x!, dy, axes, group),
      () => biasGradient(dy),
    ];
  }),
  /** The adjoint of a Conv in its input: dx is that Conv of dy, and x and dy change places in dw. */
  ConvTranspose: single((node, dy) => {
    const [x, w] = node.inputs;
    const axes = transposedAxes(applicationOf(node));
    const group = intAttribute(node.attributes, "group", 1);
    return [
      () => apply("Conv", [dy, w], { attributes: windowAttributes(axes, group) }),
      () => weightGradient(dy, x!, axes, group),
      () => biasGradient(dy),
    ];
  }),
  /** Each maximum hands its gradient to the place that it was read from (the first of equals). */
  MaxPool: single((node, dy) => [
    () => {
      const x = node.inputs[0]!;
      const attributes = { ...node.attributes, storage_order: { int: 0 } };
      const [, places] = applyAll("MaxPool", [x], { attributes, outputs: 2 });
      const flat = zeros([sizeOf(x.shape)], x.dtype);
      const count = [sizeOf(dy.shape)];
      const options = { attributes: { axis: { int: 0 }, reduction: { string: "add" } } };
      return reshape(apply("ScatterElements", [flat, reshape(places!, count), reshape(dy, count)], options), x.shape);
    },
  ]),
  /** Each mean hands an equal share to every place that it is over: a transposed convolution with ones, per channel. */
  AveragePool: single((node, dy) => [
    () => {
      const x = node.inputs[0]!;
      const axes = poolAxes(applicationOf(node));
      const channels = x.shape[1]!;
      const share = shares(node, axes).reduce((g, counts) => div(g, counts), dy);
      const shape = [channels, 1, ...axes.map((axis) => axis.kernel)];
      return inputGradient(share, constantOnes(shape, x.dtype), covered(axes), channels);
    },
  ]),
};
