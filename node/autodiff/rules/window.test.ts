import { apply } from "../../onnx/graph.ts";
import type { Attributes } from "../../onnx/value.ts";
import { attributes, distinct, ruleCases, testRules } from "./rules.suite.ts";
import { WINDOW } from "./window.ts";

const { cases, check } = ruleCases();

/** Sizes of one convolution, and its attributes. */
interface Row {
  readonly name: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly given?: Attributes;
}

const ints = (...values: readonly number[]) => ({ ints: values });
const group = (n: number) => ({ group: { int: n } });

const CONVOLUTIONS: readonly Row[] = [
  { name: "plain", x: [2, 2, 4, 4], w: [3, 2, 3, 3] },
  {
    name: "pads and strides",
    x: [1, 2, 5, 4],
    w: [2, 2, 3, 3],
    given: { pads: ints(1, 1, 1, 1), strides: ints(2, 2) },
  },
  { name: "a rest that no window sees", x: [1, 1, 6, 5], w: [2, 1, 2, 2], given: { strides: ints(4, 3) } },
  { name: "uneven pads", x: [1, 1, 4, 3], w: [1, 1, 3, 2], given: { pads: ints(0, 1, 2, 0) } },
  { name: "dilated", x: [1, 2, 6, 5], w: [2, 2, 2, 2], given: { dilations: ints(3, 2), strides: ints(2, 1) } },
  { name: "groups", x: [2, 4, 3, 3], w: [6, 2, 2, 2], given: group(2) },
  {
    name: "depthwise",
    x: [2, 3, 4, 4],
    w: [3, 1, 3, 3],
    given: { ...group(3), pads: ints(1, 1, 1, 1), strides: ints(2, 1) },
  },
  { name: "one axis", x: [2, 2, 6], w: [2, 2, 3], given: { strides: ints(2), pads: ints(1, 0) } },
  { name: "three axes", x: [1, 1, 3, 3, 3], w: [2, 1, 2, 2, 2] },
  {
    name: "same size",
    x: [1, 1, 5, 4],
    w: [1, 1, 2, 3],
    given: { auto_pad: { string: "SAME_UPPER" }, strides: ints(2, 1) },
  },
];
for (const { name, x, w, given } of CONVOLUTIONS) {
  check(name, "Conv", [x, w, [w[0]!]], (values) => apply("Conv", values, attributes(given ?? {})));
}

const TRANSPOSED: readonly Row[] = [
  { name: "plain", x: [1, 2, 3, 3], w: [2, 3, 2, 2] },
  {
    name: "strides",
    x: [1, 2, 3, 2],
    w: [2, 1, 3, 3],
    given: { strides: ints(2, 2), pads: ints(1, 1, 1, 1), output_padding: ints(1, 0) },
  },
  { name: "groups", x: [2, 4, 2, 2], w: [4, 2, 2, 2], given: { ...group(2), dilations: ints(2, 1) } },
  { name: "one axis", x: [1, 2, 4], w: [2, 2, 3], given: { strides: ints(3) } },
];
for (const { name, x, w, given } of TRANSPOSED) {
  const filters = w[1]! * (given?.group && "int" in given.group ? given.group.int : 1);
  check(name, "ConvTranspose", [x, w, [filters]], (values) => apply("ConvTranspose", values, attributes(given ?? {})));
}

const kernel = { kernel_shape: ints(3, 2) };
const POOLS: readonly Row[] = [
  { name: "plain", x: [1, 2, 5, 4], w: [], given: kernel },
  {
    name: "strides and pads",
    x: [2, 1, 5, 5],
    w: [],
    given: { ...kernel, strides: ints(2, 2), pads: ints(1, 0, 1, 1) },
  },
  { name: "rounded up", x: [1, 1, 6, 5], w: [], given: { ...kernel, strides: ints(2, 2), ceil_mode: { int: 1 } } },
  { name: "dilated", x: [1, 1, 6, 5], w: [], given: { ...kernel, dilations: ints(2, 2) } },
  { name: "one axis", x: [2, 2, 6], w: [], given: { kernel_shape: ints(2), strides: ints(2) } },
];
for (const op of ["MaxPool", "AveragePool"]) {
  for (const { name, x, given } of POOLS) {
    check(name, op, [distinct(x)], (values) => apply(op, values, attributes(given ?? {})));
  }
}
for (const ceil of [0, 1]) {
  check(`pads counted, rounded ${ceil ? "up" : "down"}`, "AveragePool", [[1, 2, 6, 4]], (values) =>
    apply(
      "AveragePool",
      values,
      attributes({
        kernel_shape: ints(3, 3),
        pads: ints(1, 1, 1, 1),
        strides: ints(2, 2),
        count_include_pad: { int: 1 },
        ceil_mode: { int: ceil },
      }),
    ),
  );
}

testRules(WINDOW, cases);
