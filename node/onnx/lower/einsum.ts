/**
 * Einstein sums as transpositions, reshapes and matrix products: any number of operands, repeated letters (diagonals),
 * ellipses.  Source: ONNX operator Einsum, https://onnx.ai/onnx/operators.
 */
import { int64 } from "../../tensor.ts";
import { stringAttribute } from "../attributes.ts";
import { apply, constantValue } from "../graph.ts";
import { expand, gather, matMul, reduceSum, reshape, transpose } from "../operators.ts";
import type { OnnxValue } from "../value.ts";
import { type Lowering, required } from "./lowering.ts";

/** A value and what its axes are called. */
interface Labelled {
  readonly value: OnnxValue;
  readonly labels: readonly string[];
}

interface Equation {
  readonly operands: readonly (readonly string[])[];
  readonly output: readonly string[];
}

const sizeOfLabels = (labels: readonly string[], sizes: ReadonlyMap<string, number>): number =>
  labels.reduce((product, label) => product * sizes.get(label)!, 1);

/** Letters of each term, an ellipsis as one label per axis that it stands for, counted from the last ("…0"). */
function parse(text: string, ranks: readonly number[]): Equation {
  const [left, right, ...more] = text.replaceAll(" ", "").split("->");
  const terms = left!.split(",");
  if (more.length > 0 || terms.length !== ranks.length || text.length > 4096) {
    throw new RangeError(`the equation does not have ${ranks.length} operands`);
  }
  const dots = terms.map((term, i) => (term.includes("...") ? ranks[i]! - term.replace("...", "").length : 0));
  const letters = (term: string, ellipsis: number): string[] => {
    const [before, after, ...rest] = term.split("...");
    if (rest.length > 0 || !/^[A-Za-z]*$/.test(before! + (after ?? ""))) throw new RangeError(`the term ${term}`);
    const middle = Array.from({ length: Math.max(0, ellipsis) }, (_, i) => `…${ellipsis - 1 - i}`);
    return after === undefined ? [...before!] : [...before!, ...middle, ...after];
  };
  const operands = terms.map((term, i) => letters(term, dots[i]!));
  const wrong = operands.findIndex((labels, i) => labels.length !== ranks[i]);
  if (wrong >= 0)
    throw new RangeError(`operand ${wrong} has ${ranks[wrong]} axes, the term "${terms[wrong]}" names others`);
  const widest = Math.max(0, ...dots);
  if (right !== undefined) return { operands, output: letters(right, right.includes("...") ? widest : 0) };
  // Without an output term: the ellipsis, then the letters that occur once, in the order of the alphabet.
  const all = operands.flat();
  const once = [...new Set(all)].filter((x) => !x.startsWith("…") && all.filter((y) => y === x).length === 1).sort();
  return { operands, output: [...letters(dots.some((n) => n > 0) ? "..." : "", widest), ...once] };
}

/** x with two equal labels -> their diagonal: both axes become one, of which every (n + 1)th value is read. */
function diagonal({ value, labels }: Labelled): Labelled {
  const second = labels.findIndex((label, i) => labels.indexOf(label) < i);
  if (second < 0) return { value, labels };
  const first = labels.indexOf(labels[second]!);
  const n = value.shape[first]!;
  if (value.shape[second] !== n)
    throw new RangeError(`${labels[second]} has the sizes ${n} and ${value.shape[second]}`);
  const others = [...labels.keys()].filter((i) => i !== first && i !== second);
  const flat = reshape(transpose(value, [...others, first, second]), [...others.map((i) => value.shape[i]!), n * n]);
  const places = apply(
    "Range",
    [0, n * n, n + 1].map((x) => constantValue(int64([], [x]))),
  );
  const line = gather(flat, places, others.length);
  return diagonal({ value: line, labels: [...others.map((i) => labels[i]!), labels[first]!] });
}

/** Axes in the order of `labels`. */
function ordered(x: Labelled, labels: readonly string[]): OnnxValue {
  const order = labels.map((label) => x.labels.indexOf(label));
  return order.every((from, i) => from === i) ? x.value : transpose(x.value, order);
}

/** Sum over the labels that are not kept. */
function summed(x: Labelled, keep: ReadonlySet<string>): Labelled {
  const axes = x.labels.flatMap((label, axis) => (keep.has(label) ? [] : [axis]));
  if (axes.length === 0) return x;
  return { value: reduceSum(x.value, axes, false), labels: x.labels.filter((label) => keep.has(label)) };
}

/** One batched matrix product: shared and kept labels are the batch, shared and unkept ones are summed over. */
function product(a: Labelled, b: Labelled, keep: ReadonlySet<string>, sizes: ReadonlyMap<string, number>): Labelled {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => keep.has(label));
  const inner = shared.filter((label) => !keep.has(label));
  const rows = a.labels.filter((label) => !shared.includes(label));
  const columns = b.labels.filter((label) => !shared.includes(label));
  const [n, m, k, l] = [batch, rows, inner, columns].map((labels) => sizeOfLabels(labels, sizes)) as [
    number,
    number,
    number,
    number,
  ];
  const left = reshape(ordered(a, [...batch, ...rows, ...inner]), [n, m, k]);
  const right = reshape(ordered(b, [...batch, ...inner, ...columns]), [n, k, l]);
  const labels = [...batch, ...rows, ...columns];
  const shape = labels.map((label) => sizes.get(label)!);
  return { value: reshape(matMul(left, right), shape), labels };
}

/** The lowering of Einsum. */
export const EINSUM: Readonly<Record<string, Lowering>> = {
  Einsum: (node) => {
    const values = node.inputs.map((_, i) => required(node, i));
    const ranks = values.map((value) => value.shape.length);
    const { operands, output } = parse(stringAttribute(node.attributes, "equation", ""), ranks);
    const parts = values.map((value, i) => diagonal({ value, labels: operands[i]! }));
    const sizes = new Map<string, number>();
    for (const { value, labels } of parts) {
      for (const [axis, label] of labels.entries())
        sizes.set(label, Math.max(sizes.get(label) ?? 1, value.shape[axis]!));
    }
    const unknown = output.find((label) => !sizes.has(label));
    if (unknown !== undefined || new Set(output).size !== output.length) {
      throw new RangeError("the output names a letter twice, or one that no operand has");
    }
    const [first, ...more] = parts.map(({ value, labels }) => {
      const shape = labels.map((label) => sizes.get(label)!);
      return { value: expand(value, shape), labels };
    });
    const keepAfter = (done: number): ReadonlySet<string> =>
      new Set([...output, ...more.slice(done).flatMap((part) => part.labels)]);
    const total = more.reduce((sum, part, i) => {
      const next = summed(part, new Set([...keepAfter(i + 1), ...sum.labels]));
      return product(summed(sum, new Set([...keepAfter(i + 1), ...part.labels])), next, keepAfter(i + 1), sizes);
    }, first!);
    return [ordered(summed(total, new Set(output)), output)];
  },
};
