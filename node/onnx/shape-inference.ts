/**
 * Data types and static shapes of the outputs of every operator that weft builds or imports.
 * Source: the ONNX operator specification, opset 21, https://onnx.ai/onnx/operators.
 */
import { sizeOf } from "../tensor.ts";
import { CREATION } from "./shapes/creation.ts";
import { ELEMENTWISE } from "./shapes/elementwise.ts";
import { LINEAR } from "./shapes/linear.ts";
import { MOVEMENT } from "./shapes/movement.ts";
import { REDUCTION } from "./shapes/reduction.ts";
import { type Application, invalid, type Rule, type ValueType } from "./shapes/rule.ts";
import { WINDOW } from "./shapes/window.ts";

/** Most axes of a value; real models stay below 8. */
const RANK_MAX = 32;
/** Most elements of a value: the logits of 2^18 tokens over a vocabulary of 2^18. */
const ELEMENTS_MAX = 2 ** 36;

const RULES: Readonly<Record<string, Rule>> = {
  ...CREATION,
  ...ELEMENTWISE,
  ...LINEAR,
  ...MOVEMENT,
  ...REDUCTION,
  ...WINDOW,
};

/** Types of all outputs.  Throws: ONNX_INVALID naming operator, place and shapes. */
export function inferShapes(application: Application): readonly ValueType[] {
  const rule = Object.hasOwn(RULES, application.op) ? RULES[application.op] : undefined;
  if (!rule) throw invalid(application, "this operator is not supported");
  const types = guarded(rule, application);
  if (types.length < application.outputCount) {
    throw invalid(application, `it has ${types.length} outputs, not ${application.outputCount}`);
  }
  for (const { shape } of types) {
    if (shape.length > RANK_MAX) throw invalid(application, `the result has ${shape.length} axes, over ${RANK_MAX}`);
    if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      throw invalid(application, `the shape [${shape}] is not one`);
    }
    if (sizeOf(shape) > ELEMENTS_MAX) throw invalid(application, `the shape [${shape}] is too large`);
  }
  return types;
}

function guarded(rule: Rule, application: Application): readonly ValueType[] {
  try {
    return rule(application);
  } catch (error) {
    if (error instanceof RangeError) throw invalid(application, error.message);
    throw error;
  }
}
