/** Shape rules of operators that make values from sizes and numbers. */
import { constantNumber, intAttribute } from "../attributes.ts";
import { DTYPE_BY_CODE } from "../dtype.ts";
import { input, type Rule } from "./rule.ts";

/** Rules by operator. */
export const CREATION: Readonly<Record<string, Rule>> = {
  /** start, start + delta, … up to but not including limit. */
  Range: (a) => {
    const [start, limit, delta] = [0, 1, 2].map((i) => constantNumber(input(a, i)));
    if (start === undefined || limit === undefined || delta === undefined) {
      throw new RangeError("the ends are not known while building");
    }
    return [{ dtype: input(a, 0).dtype, shape: [Math.max(0, Math.ceil((limit - start) / delta))] }];
  },
  EyeLike: (a) => {
    const { dtype, shape } = input(a, 0);
    if (shape.length !== 2) throw new RangeError("EyeLike makes matrices");
    return [{ dtype: DTYPE_BY_CODE[intAttribute(a.attributes, "dtype", 0)] ?? dtype, shape }];
  },
  OneHot: (a) => {
    const indices = input(a, 0);
    if (indices.shape.length === 0) throw new RangeError("there is no list of indices");
    const depth = constantNumber(input(a, 1));
    if (depth === undefined) throw new RangeError("the depth is not known while building");
    const axis = intAttribute(a.attributes, "axis", -1);
    const at = axis < 0 ? axis + indices.shape.length + 1 : axis;
    if (at < 0 || at > indices.shape.length) throw new RangeError(`axis ${axis} of rank ${indices.shape.length + 1}`);
    return [{ dtype: input(a, 2).dtype, shape: [...indices.shape.slice(0, at), depth, ...indices.shape.slice(at)] }];
  },
};
