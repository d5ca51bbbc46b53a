/** All gradient rules, by operator name (`domain.Operator` outside the standard set). */
import type { GradientRule } from "../rule.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { FUSED } from "./fused.ts";
import { LINEAR } from "./linear.ts";
import { MOVEMENT } from "./movement.ts";
import { NORMALIZATION } from "./normalization.ts";
import { REDUCTION } from "./reduction.ts";
import { WINDOW } from "./window.ts";

/** Every gradient rule there is. A new operator's rule is added to the table of its sort. */
export const RULES: Readonly<Record<string, GradientRule>> = {
  ...ELEMENTWISE,
  ...FUSED,
  ...LINEAR,
  ...MOVEMENT,
  ...NORMALIZATION,
  ...REDUCTION,
  ...WINDOW,
};
