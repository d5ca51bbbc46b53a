import { describe, expect, it } from "vitest";
import { createPrng } from "../../../protocol/prng.ts";
import { gradient } from "../../autodiff/gradient.ts";
import { matrixGflop } from "../../bench/matrix-products.ts";
import { encodeModel } from "../../onnx/codec.ts";
import { inputValue } from "../../onnx/graph.ts";
import { mul, reduceSum } from "../../onnx/operators.ts";
import type { OnnxGraph } from "../../onnx/value.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import { float32 } from "../../tensor.ts";
import { attention, causalBlocks, causalMask, oneBlock, type QueryBlock } from "./attention.ts";

const [BATCH, HEADS, GROUPS, SIZE] = [2, 4, 2, 8];
/** Three blocks, the last one shorter. */
const TOKENS = 296;

/** Attention, and its gradients under a random weighting of its result. */
function graphOf(blocks: readonly QueryBlock[]): OnnxGraph {
  const rows = BATCH * TOKENS;
  const [q, k, v, w] = ["q", "k", "v", "w"].map((name) =>
    inputValue(name, "float32", [rows, SIZE * (name === "q" || name === "w" ? HEADS : GROUPS)]),
  ) as [never, never, never, never];
  const y = attention(
    { q, k, v },
    { batch: BATCH, tokens: TOKENS, heads: HEADS, groups: GROUPS, headSize: SIZE, blocks },
  );
  const [dq, dk, dv] = gradient(reduceSum(mul(y, w), [0, 1], false), [q, k, v]);
  return { inputs: [q, k, v, w], outputs: { y, dq: dq!, dk: dk!, dv: dv! } };
}

async function run(graph: OnnxGraph): Promise<Record<string, Float32Array>> {
  const stream = createPrng(2);
  const feeds = graph.inputs.map(({ shape, source }) => {
    const data = Float32Array.from({ length: shape[0]! * shape[1]! }, () => 2 * stream.normal());
    return [source.kind === "input" ? source.name : "", float32(shape, data)] as const;
  });
  const session = await createOnnxRuntime().load(encodeModel(graph), { threads: 1 });
  const results = await session.run(Object.fromEntries(feeds));
  await session.close();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}

describe("attention in blocks of queries", () => {
  it.each([
    { window: undefined, share: 0.8 },
    { window: 3, share: 0.8 },
    { window: 130, share: 0.8 },
  ])("is that of all queries at once, with a window of $window", async ({ window, share }) => {
    const mask = causalMask(TOKENS, window);
    const whole = graphOf(oneBlock(mask, TOKENS));
    const blocked = graphOf(causalBlocks(mask, TOKENS, window));
    expect(matrixGflop(blocked)).toBeLessThan(share * matrixGflop(whole));
    const [expected, actual] = [await run(whole), await run(blocked)];
    for (const [name, values] of Object.entries(expected)) {
      const scale = Math.max(...values.map(Math.abs));
      expect(scale, name).toBeGreaterThan(0.1);
      const worst = Math.max(...values.map((x, i) => Math.abs(x - actual[name]![i]!)));
      expect(worst, name).toBeLessThan(1e-5 * scale);
    }
  });

  it("leaves short texts in one block", () => {
    expect(causalBlocks(causalMask(248), 248)).toHaveLength(1);
    expect(causalBlocks(causalMask(256), 256).map(({ keys }) => keys)).toEqual([
      { from: 0, to: 128 },
      { from: 0, to: 256 },
    ]);
    expect(causalBlocks(causalMask(384, 100), 384, 100).map(({ keys }) => keys)).toEqual([
      { from: 0, to: 128 },
      { from: 0, to: 256 },
      { from: 128, to: 384 },
    ]);
  });
});
