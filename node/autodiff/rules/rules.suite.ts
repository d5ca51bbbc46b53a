/** What every gradient rule is held to: finite differences of its operator's own forward values. */
import { afterAll, describe, expect, it } from "vitest";
import { createPrng } from "../../../protocol/prng.ts";
import type { Attributes, OnnxValue } from "../../onnx/value.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import type { Tensor } from "../../tensor.ts";
import { float32, sizeOf } from "../../tensor.ts";
import { compareWithFiniteDifferences } from "../finite-difference.ts";
import type { GradientRule } from "../rule.ts";

const prng = createPrng(7);

/** Values away from 0, where Abs, Relu and the like have their kink. */
export function sample(name: string, shape: readonly number[], low = -2, high = 2): Tensor {
  const stream = prng.fork(name);
  const values = Array.from({ length: sizeOf(shape) }, () => {
    const x = low + (high - low) * stream.uniform();
    return Math.abs(x) < 0.1 ? 0.1 + Math.abs(x) : x;
  });
  return float32(shape, values);
}

/** Every value once, far enough apart that no step of a finite difference changes their order. */
export function distinct(shape: readonly number[]): Tensor {
  const count = sizeOf(shape);
  return float32(
    shape,
    Array.from({ length: count }, (_, i) => ((i * 7 + 3) % count) / 8 - count / 20),
  );
}

export interface RuleCase {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly f: (inputs: readonly OnnxValue[]) => OnnxValue;
}

export const attributes = (a: Attributes) => ({ attributes: a });
export const axisOf = (axis: number) => attributes({ axis: { int: axis } });

/** A list of cases, and how one is added: samples for the shapes given, tensors as they are. */
export function ruleCases() {
  const cases: RuleCase[] = [];
  const check = (name: string, op: string, shapes: readonly (readonly number[] | Tensor)[], f: RuleCase["f"]) => {
    const inputs = shapes.map((s, i) =>
      "data" in s ? s : op === "Div" ? sample(`${op}${name}${i}`, s, 0.8, 2) : sample(`${op}${name}${i}`, s),
    );
    cases.push({ name, op, inputs, f });
  };
  return { cases, check };
}

/** Every case agrees with finite differences, and no rule of the table is without a case. */
export function testRules(rules: Readonly<Record<string, GradientRule>>, cases: readonly RuleCase[]): void {
  const runtime = createOnnxRuntime();
  describe("gradient rules agree with finite differences", () => {
    const seen = new Set<string>();
    afterAll(() => expect(Object.keys(rules).filter((name) => !seen.has(name))).toEqual([]));
    for (const { name, op, inputs, f } of cases) {
      seen.add(op);
      it(`${op} ${name}`, async () => {
        const { error } = await compareWithFiniteDifferences(runtime, inputs, f);
        // Truncation h^2/6 f''' reaches 1e-3 for the steepest of these functions at h = 1e-2.
        expect(error).toBeLessThan(2e-3);
      });
    }
  });
}
