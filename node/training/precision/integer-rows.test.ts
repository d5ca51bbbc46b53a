/** Rows of activations and gradients as integers: each by its own size, twice as exact where a matrix asks for two terms. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeModel } from "../../onnx/codec.ts";
import { constantValue, inputValue } from "../../onnx/graph.ts";
import { add, gemm, softmax } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import { float32 } from "../../tensor.ts";
import { inIntegers } from "./integers.ts";

const runtime = createOnnxRuntime();
const [ROWS, INNER, COLUMNS] = [5, 24, 6];
const INTEGERS = Int8Array.from({ length: INNER * COLUMNS }, (_, i) => Math.round(100 * Math.sin(3 * i)));
const SCALES = Float32Array.from({ length: COLUMNS }, (_, n) => (n + 1) / 100);

/** x W of x f32[ROWS,INNER], or of what is made of it, in integers: W is exact, so that only x is rounded. */
async function session(made: (x: OnnxValue) => OnnxValue, isFine: boolean) {
  const x = inputValue("x", "float32", [ROWS, INNER]);
  const w = Float32Array.from(INTEGERS, (value, i) => value * SCALES[i % COLUMNS]!);
  const frozen = constantValue(float32([INNER, COLUMNS], w), "w");
  const matrix = constantValue({ dtype: "int8", shape: [INNER, COLUMNS], data: INTEGERS }, "integers");
  const scale = constantValue(float32([COLUMNS], SCALES), "scale");
  const pass = inIntegers({
    matrix: (weight) => (weight === frozen ? { matrix, scale, isFine } : undefined),
    copy: () => undefined,
    externalData: [],
  });
  const rows = made(x);
  const { graph, replaced } = pass({ inputs: [x], outputs: { y: gemm(rows, frozen), rows: add(rows, rows) } });
  expect(replaced).toBeGreaterThan(0);
  return { w, of: await runtime.load(encodeModel(graph), { threads: 1 }) };
}

it.each([
  { name: "signed rows", made: (x: OnnxValue) => x, isFine: false, levels: 127 },
  { name: "a softmax", made: softmax, isFine: false, levels: 255 },
  { name: "signed rows in two terms", made: (x: OnnxValue) => x, isFine: true, levels: 127 * 254 },
])("$name are off by half a step of their own size at most", async ({ made, isFine, levels }) => {
  const { w, of } = await session(made, isFine);
  const powers = fc.array(fc.integer({ min: -6, max: 6 }), { minLength: ROWS, maxLength: ROWS });
  await fc.assert(
    fc.asyncProperty(powers, fc.nat(1000), async (exponents, seed) => {
      const data = Float32Array.from(
        { length: ROWS * INNER },
        (_, i) => Math.cos(seed + i * i) * 10 ** exponents[Math.floor(i / INNER)]!,
      );
      const { y, rows } = await of.run({ x: float32([ROWS, INNER], data) });
      const x = (rows!.data as Float32Array).map((value) => value / 2);
      for (let m = 0; m < ROWS; m++) {
        const row = x.subarray(m * INNER, (m + 1) * INNER);
        const size = Math.max(...row.map(Math.abs));
        for (let n = 0; n < COLUMNS; n++) {
          const column = Array.from({ length: INNER }, (_, k) => w[k * COLUMNS + n]!);
          const exact = row.reduce((sum, value, k) => sum + value * column[k]!, 0);
          const weight = column.reduce((sum, value) => sum + Math.abs(value), 0);
          // Half a step in every place, and the rounding of f32.
          const off = size * weight * (0.5 / levels + 2e-6);
          expect(Math.abs((y!.data as Float32Array)[m * COLUMNS + n]! - exact)).toBeLessThanOrEqual(off);
        }
      }
    }),
    { numRuns: 30 },
  );
  await of.close();
});
