/** Shape rules of matrix products. */
import { axisIndex, intAttribute } from "../attributes.ts";
import { broadcastShapes, input, type Rule } from "./rule.ts";

function matMulShape(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length < 1 || b.length < 1) throw new RangeError("a matrix product of scalars");
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  if (left.at(-1) !== right.at(-2)) throw new RangeError(`inner sizes ${left.at(-1)} and ${right.at(-2)} differ`);
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  return [...batch, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])];
}

/** Rules by operator. */
export const LINEAR: Readonly<Record<string, Rule>> = {
  MatMul: (a) => {
    const [x, y] = [input(a, 0), input(a, 1)];
    if (x.dtype !== y.dtype) throw new RangeError(`${x.dtype} and ${y.dtype} do not mix`);
    return [{ dtype: x.dtype, shape: matMulShape(x.shape, y.shape) }];
  },
  Gemm: (a) => {
    const [x, y] = [input(a, 0), input(a, 1)];
    if (x.shape.length !== 2 || y.shape.length !== 2) throw new RangeError("Gemm takes matrices");
    const [m, k] = intAttribute(a.attributes, "transA", 0) ? [x.shape[1]!, x.shape[0]!] : [x.shape[0]!, x.shape[1]!];
    const [l, n] = intAttribute(a.attributes, "transB", 0) ? [y.shape[1]!, y.shape[0]!] : [y.shape[0]!, y.shape[1]!];
    if (k !== l) throw new RangeError(`inner sizes ${k} and ${l} differ`);
    const c = a.inputs[2];
    const sum = c && broadcastShapes(c.shape, [m, n]);
    if (c && (sum?.length !== 2 || sum.some((size, i) => size !== [m, n][i]))) {
      throw new RangeError(`C of shape [${c.shape}] does not broadcast to [${m}, ${n}]`);
    }
    return [{ dtype: x.dtype, shape: [m, n] }];
  },
  /** x f32[M, K], integers i8[K, N], the scale of each column f32[N]; of com.microsoft. */
  DynamicQuantizeMatMul: (a) => {
    const [x, y, scale] = [input(a, 0), input(a, 1), input(a, 2)];
    const shape = matMulShape(x.shape, y.shape);
    if (x.dtype !== "float32" || y.dtype !== "int8" || scale.dtype !== "float32")
      throw new RangeError("its data types");
    if (scale.shape.join() !== `${y.shape[1]}`) throw new RangeError(`scales of shape [${scale.shape}] do not fit`);
    return [{ dtype: "float32", shape }];
  },
  /** (a - zero) scale B s: a u8[M, K], B i8[K, N], scale f32[] of a, s f32[N] of B's columns, zero u8[] of a; of com.microsoft. */
  MatMulIntegerToFloat: (a) => {
    const [x, y, scale, scales] = [input(a, 0), input(a, 1), input(a, 2), input(a, 3)];
    const zero = a.inputs[4];
    if (x.dtype !== "uint8" || y.dtype !== "int8" || scale.dtype !== "float32" || (zero && zero.dtype !== "uint8"))
      throw new RangeError("its data types");
    const shape = matMulShape(x.shape, y.shape);
    const isOne = (value: typeof zero): boolean => value === undefined || value.shape.every((size) => size === 1);
    if (!isOne(scale) || !isOne(zero) || scales.shape.join() !== `${y.shape[1]}`)
      throw new RangeError(`scales or zeros of shapes [${scale.shape}], [${scales.shape}] do not fit`);
    return [{ dtype: "float32", shape }];
  },
  /** round(x / s) + zero, in the zero's type: a scale and a zero for each place along `axis`. */
  QuantizeLinear: (a) => {
    const [x, scale, zero] = [input(a, 0), input(a, 1), input(a, 2)];
    const count = x.shape[axisIndex(intAttribute(a.attributes, "axis", 1), x.shape.length)];
    for (const other of [scale, zero]) {
      if (other.shape.join() !== `${count}`) throw new RangeError(`scales or zeros of shape [${other.shape}]`);
    }
    return [{ dtype: zero.dtype, shape: x.shape }];
  },
  /** q s with a scale for each place along `axis`, and a zero that is subtracted from q where there is one. */
  DequantizeLinear: (a) => {
    const [q, scale] = [input(a, 0), input(a, 1)];
    if (q.dtype !== "int4" && q.dtype !== "int8" && q.dtype !== "uint8")
      throw new RangeError(`weft does not dequantise ${q.dtype}`);
    const count = q.shape[axisIndex(intAttribute(a.attributes, "axis", 1), q.shape.length)];
    for (const other of [scale, a.inputs[2]]) {
      if (other && other.shape.join() !== `${count}`) throw new RangeError(`scales or zeros of shape [${other.shape}]`);
    }
    return [{ dtype: scale.dtype, shape: q.shape }];
  },
};
