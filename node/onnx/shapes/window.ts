/**
 * Convolution and pooling: how windows lie over the spatial axes, and the shapes that follow.
 * Source: ONNX operators Conv, ConvTranspose, MaxPool, AveragePool, https://onnx.ai/onnx/operators.
 */
import { intAttribute, intsAttribute, stringAttribute } from "../attributes.ts";
import type { Attributes } from "../value.ts";
import { type Application, each, input, type Rule } from "./rule.ts";

/** One spatial axis: sizes in elements, pads before and after, and how many places the window takes. */
export interface WindowAxis {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  readonly output: number;
}

function listOf(attributes: Attributes, name: string, count: number, fallback: number): readonly number[] {
  const list = intsAttribute(attributes, name) ?? new Array<number>(count).fill(fallback);
  if (list.length !== count) throw new RangeError(`${list.length} ${name} for ${count} axes`);
  const least = name === "pads" ? 0 : 1;
  if (!list.every((n) => Number.isSafeInteger(n) && n >= least)) throw new RangeError(`${name} below ${least}`);
  return list;
}

/**
 * The windows of a convolution or a pooling over spatial axes of the given sizes.
 * Padding: explicit, or so that output = ceil(size / stride) (SAME), or none (VALID).
 * Throws: RangeError when an attribute is not one for these axes.
 */
export function windowAxes(
  attributes: Attributes,
  sizes: readonly number[],
  kernel: readonly number[],
): readonly WindowAxis[] {
  const rank = sizes.length;
  const strides = listOf(attributes, "strides", rank, 1);
  const dilations = listOf(attributes, "dilations", rank, 1);
  const auto = stringAttribute(attributes, "auto_pad", "NOTSET");
  const pads = auto === "NOTSET" ? listOf(attributes, "pads", 2 * rank, 0) : new Array<number>(2 * rank).fill(0);
  const ceil = intAttribute(attributes, "ceil_mode", 0) === 1;
  return sizes.map((size, i) => {
    const [stride, dilation] = [strides[i]!, dilations[i]!];
    const reach = (kernel[i]! - 1) * dilation + 1;
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
      const output = Math.ceil(size / stride);
      const total = Math.max(0, (output - 1) * stride + reach - size);
      const small = Math.floor(total / 2);
      const [before, after] = auto === "SAME_UPPER" ? [small, total - small] : [total - small, small];
      return { size, kernel: kernel[i]!, stride, dilation, before, after, output };
    }
    const [before, after] = [pads[i]!, pads[rank + i]!];
    const room = size + before + after - reach;
    let output = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    // A window that would begin behind the input and its leading pad is left out.
    if (ceil && (output - 1) * stride >= size + before) output -= 1;
    if (!(output >= 1)) throw new RangeError(`a window of ${reach} over ${size + before + after} places`);
    return { size, kernel: kernel[i]!, stride, dilation, before, after, output };
  });
}

/** Kernel sizes of a convolution: the weight's spatial axes, which an attribute may only repeat. */
function kernelOf(a: Application): readonly number[] {
  const kernel = input(a, 1).shape.slice(2);
  const said = intsAttribute(a.attributes, "kernel_shape");
  if (said && said.join() !== kernel.join())
    throw new RangeError(`kernel_shape [${said}] of a weight with [${kernel}]`);
  return kernel;
}

/** Windows of a Conv node. */
export const convolutionAxes = (a: Application): readonly WindowAxis[] =>
  windowAxes(a.attributes, input(a, 0).shape.slice(2), kernelOf(a));

/** Windows of a MaxPool or AveragePool node. */
export function poolAxes(a: Application): readonly WindowAxis[] {
  const sizes = input(a, 0).shape.slice(2);
  return windowAxes(a.attributes, sizes, listOf(a.attributes, "kernel_shape", sizes.length, 0));
}

/** Windows of the Conv that a ConvTranspose node is the adjoint of: its size is the output's, its output the input's. */
export function transposedAxes(a: Application): readonly WindowAxis[] {
  const sizes = input(a, 0).shape.slice(2);
  const auto = stringAttribute(a.attributes, "auto_pad", "NOTSET");
  if (intsAttribute(a.attributes, "output_shape") || auto.startsWith("SAME")) {
    throw new RangeError("a ConvTranspose with output_shape or SAME padding is not supported; give it pads");
  }
  const strides = listOf(a.attributes, "strides", sizes.length, 1);
  const dilations = listOf(a.attributes, "dilations", sizes.length, 1);
  const pads = listOf(a.attributes, "pads", 2 * sizes.length, 0);
  const extra = intsAttribute(a.attributes, "output_padding") ?? sizes.map(() => 0);
  if (extra.length !== sizes.length) throw new RangeError(`output_padding for ${extra.length} axes`);
  const kernel = kernelOf(a);
  return sizes.map((output, i) => {
    const [stride, dilation] = [strides[i]!, dilations[i]!];
    const [before, after] = [pads[i]!, pads[sizes.length + i]!];
    const size = stride * (output - 1) + extra[i]! + (kernel[i]! - 1) * dilation + 1 - before - after;
    return { size, kernel: kernel[i]!, stride, dilation, before, after, output };
  });
}

/** Groups of a convolution, each of which reads its own share of the channels. */
function groupsOf(a: Application, channels: number): number {
  const group = intAttribute(a.attributes, "group", 1);
  if (!(group >= 1) || channels % group !== 0) throw new RangeError(`${channels} channels in ${group} groups`);
  return group;
}

function checkBias(a: Application, channels: number): void {
  const bias = a.inputs[2];
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== channels)) {
    throw new RangeError(`a bias of shape [${bias.shape}] for ${channels} channels`);
  }
}

function checkRanks(a: Application): void {
  const [x, w] = [input(a, 0), input(a, 1)];
  if (x.shape.length < 3 || w.shape.length !== x.shape.length) throw new RangeError("input and weight differ in rank");
}

/** Rules by operator. */
export const WINDOW: Readonly<Record<string, Rule>> = {
  /** x [N, C, size...], w [M, C/group, kernel...] -> [N, M, output...] */
  Conv: (a) => {
    checkRanks(a);
    const [x, w] = [input(a, 0), input(a, 1)];
    const group = groupsOf(a, x.shape[1]!);
    if (w.shape[1]! * group !== x.shape[1]) throw new RangeError(`a weight for ${w.shape[1]! * group} channels`);
    groupsOf(a, w.shape[0]!);
    checkBias(a, w.shape[0]!);
    return [{ dtype: x.dtype, shape: [x.shape[0]!, w.shape[0]!, ...convolutionAxes(a).map((axis) => axis.output)] }];
  },
  /** x [N, C, size...], w [C, M/group, kernel...] -> [N, M, output...] */
  ConvTranspose: (a) => {
    checkRanks(a);
    const [x, w] = [input(a, 0), input(a, 1)];
    const group = groupsOf(a, x.shape[1]!);
    if (w.shape[0] !== x.shape[1]) throw new RangeError(`a weight for ${w.shape[0]} channels`);
    const channels = w.shape[1]! * group;
    checkBias(a, channels);
    return [{ dtype: x.dtype, shape: [x.shape[0]!, channels, ...transposedAxes(a).map((axis) => axis.size)] }];
  },
  ...each(["MaxPool", "AveragePool"], (a) => {
    const { dtype, shape } = input(a, 0);
    if (shape.length < 3) throw new RangeError("there is no spatial axis");
    const pooled = [...shape.slice(0, 2), ...poolAxes(a).map((axis) => axis.output)];
    const places = { dtype: "int64" as const, shape: pooled };
    return [{ dtype, shape: pooled }, places].slice(0, a.op === "MaxPool" ? Math.max(1, a.outputCount) : 1);
  }),
};
