/** Gradient rules of operators that move values without changing them. */

import { axisIndex, intAttribute, intsAttribute, stringAttribute } from "../../onnx/attributes.ts";
import { apply, constantValue } from "../../onnx/graph.ts";
import { concat, ints, reshape, scatterAdd, split, transpose, zeros } from "../../onnx/operators.ts";
import { padWidths, sliceRanges } from "../../onnx/shapes/movement.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { int64 } from "../../tensor.ts";
import type { GradientRule } from "../rule.ts";
import { single } from "../rule.ts";

const reshapeBack: GradientRule = single(({ inputs: [x] }, dy) => [() => reshape(dy, x!.shape), undefined]);

/** Index of every element of `indices` as rows i64[n, 1], counted from the front. */
function rowIndices(indices: OnnxValue, size: number): OnnxValue {
  const count = indices.shape.reduce((product, n) => product * n, 1);
  const flat = reshape(indices, [count, 1]);
  if (flat.source.kind === "constant") return flat;
  const wrapped = apply("Add", [flat, constantValue(int64([], [size]))]);
  return apply("Where", [apply("Less", [flat, constantValue(int64([], [0]))]), wrapped, flat]);
}

/** Rules by operator. Integer inputs, such as indices and shapes, have no gradient. */
export const MOVEMENT: Readonly<Record<string, GradientRule>> = {
  Reshape: reshapeBack,
  Unsqueeze: reshapeBack,
  Squeeze: reshapeBack,
  Flatten: reshapeBack,
  /** The engine sums over the axes that were repeated. */
  Expand: single((_, dy) => [() => dy, undefined]),
  Transpose: single(({ inputs: [x], attributes }, dy) => {
    const rank = x!.shape.length;
    const order = intsAttribute(attributes, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
    const inverse = order.map((_, axis) => order.findIndex((from) => axisIndex(from, rank) === axis));
    return [() => transpose(dy, inverse)];
  }),
  Concat: single(({ inputs, attributes }, dy) => {
    const axis = axisIndex(intAttribute(attributes, "axis", 0), dy.shape.length);
    const parts = split(
      dy,
      inputs.map((input) => input!.shape[axis]!),
      axis,
    );
    return inputs.map((_, i) => () => parts[i]!);
  }),
  Split: (node, dy) => {
    const x = node.inputs[0]!;
    const axis = axisIndex(intAttribute(node.attributes, "axis", 0), x.shape.length);
    return [
      () =>
        concat(
          node.outputs.map((output, i) => dy[i] ?? zeros(output.shape, output.dtype)),
          axis,
        ),
      undefined,
    ];
  },
  /** dx is zero outside the slice; a contiguous slice is padded with zeros, a strided one is scattered along its axis. */
  Slice: single(({ inputs }, dy) => [
    () => {
      const ranges = sliceRanges(inputs);
      if (!ranges) throw new RangeError("its ranges are not constant");
      return ranges.reduce((g, { begin, step, count }, axis) => {
        const size = inputs[0]!.shape[axis]!;
        if (count === size && step === 1) return g;
        const indices = Array.from({ length: count }, (_, i) => begin + i * step);
        return step === 1
          ? padded(g, { axis, before: begin, after: size - begin - count })
          : scattered(g, { axis, size, indices });
      }, dy);
    },
    undefined,
    undefined,
    undefined,
    undefined,
  ]),
  /** Rows that were read receive their gradients, added up where a row was read more than once. */
  Gather: single(({ inputs: [x, indices], attributes }, dy) => [
    () => {
      const axis = axisIndex(intAttribute(attributes, "axis", 0), x!.shape.length);
      const places = rowIndices(indices!, x!.shape[axis]!);
      const front = [axis, ...[...x!.shape.keys()].filter((i) => i !== axis)];
      const rest = front.slice(1).map((i) => x!.shape[i]!);
      // dy has the axes before, those of the indices, those after: bring the indices to the front as one axis.
      const depth = indices!.shape.length;
      const order = [
        ...Array.from({ length: depth }, (_, i) => axis + i),
        ...[...dy.shape.keys()].filter((i) => i < axis || i >= axis + depth),
      ];
      const isFront = order.every((from, i) => from === i);
      const updates = reshape(isFront ? dy : transpose(dy, order), [places.shape[0]!, ...rest]);
      const sum = scatterAdd(zeros([x!.shape[axis]!, ...rest], dy.dtype), places, updates);
      return axis === 0
        ? sum
        : transpose(
            sum,
            x!.shape.map((_, i) => front.indexOf(i)),
          );
    },
    undefined,
  ]),
  GatherND: single(({ inputs: [x, indices], attributes }, dy) => {
    if (intAttribute(attributes, "batch_dims", 0) !== 0) throw new RangeError("there is none with batch_dims");
    return [() => scatterAdd(zeros(x!.shape, dy.dtype), indices!, dy), undefined];
  }),
  GatherElements: single(({ inputs: [x, indices], attributes }, dy) => {
    const options = { attributes: { ...attributes, reduction: { string: "add" } } };
    return [() => apply("ScatterElements", [zeros(x!.shape, dy.dtype), indices, dy], options), undefined];
  }),
  /** y = x with updates put, or added, at places along one axis. */
  ScatterElements: single(({ inputs: [, indices, updates], attributes }, dy) => {
    const reduction = stringAttribute(attributes, "reduction", "none");
    const { axis } = attributes;
    const along = { attributes: axis ? { axis } : {} };
    const updated = () => apply("GatherElements", [dy, indices], along);
    if (reduction === "add") return [() => dy, undefined, updated];
    if (reduction !== "none") throw new RangeError(`there is none with reduction ${reduction}`);
    const cleared = () => apply("ScatterElements", [dy, indices, zeros(updates!.shape, dy.dtype)], along);
    return [cleared, undefined, updated];
  }),
  /** The values put around x are cut off again; the constant that fills them gets no gradient. */
  Pad: single(({ inputs, attributes }, dy) => {
    if (stringAttribute(attributes, "mode", "constant") !== "constant")
      throw new RangeError("there is none by copying");
    const widths = padWidths(inputs);
    if (!widths?.every(({ before, after }) => before >= 0 && after >= 0))
      throw new RangeError("the pads are not known");
    const starts = widths.map(({ before }) => before);
    const ends = inputs[0]!.shape.map((n, axis) => n + starts[axis]!);
    return [() => apply("Slice", [dy, ints(starts), ints(ends)])];
  }),
  Trilu: single(({ inputs: [, k], attributes }, dy) => [
    () => apply("Trilu", k ? [dy, k] : [dy], { attributes }),
    undefined,
  ]),
  /** y = x with updates added: x and updates both receive the gradient where they went. */
  ScatterND: single(({ inputs: [, indices, updates], attributes }, dy) => {
    const reduction = stringAttribute(attributes, "reduction", "none");
    const updated = () => apply("GatherND", [dy, indices]);
    if (reduction === "add") return [() => dy, undefined, updated];
    if (reduction !== "none") throw new RangeError(`there is none with reduction ${reduction}`);
    return [() => apply("ScatterND", [dy, indices, zeros(updates!.shape, dy.dtype)]), undefined, updated];
  }),
};

function padded(g: OnnxValue, at: { axis: number; before: number; after: number }): OnnxValue {
  const zerosOf = (n: number) =>
    n === 0
      ? []
      : [
          zeros(
            g.shape.map((size, i) => (i === at.axis ? n : size)),
            g.dtype,
          ),
        ];
  return concat([...zerosOf(at.before), g, ...zerosOf(at.after)], at.axis);
}

function scattered(g: OnnxValue, to: { axis: number; size: number; indices: readonly number[] }): OnnxValue {
  const rank = g.shape.length;
  const front = [to.axis, ...[...Array(rank).keys()].filter((i) => i !== to.axis)];
  const moved = transpose(g, front);
  const places = reshape(ints(to.indices), [to.indices.length, 1]);
  const sum = scatterAdd(zeros([to.size, ...moved.shape.slice(1)], g.dtype), places, moved);
  return transpose(
    sum,
    front.map((_, i) => front.indexOf(i)),
  );
}
