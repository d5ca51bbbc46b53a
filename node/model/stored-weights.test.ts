/** Directories of quantised weights whose config.json does not say so: known by what stands beside a matrix, and refused by it. */
import { describe, expect, it } from "vitest";
import { storedWeights } from "./stored-weights.ts";
import type { StoredTensor } from "./weight-file.ts";

const PATH = "model.layers.0.self_attn.q_proj";
const WEIGHT = { name: `${PATH}.weight`, shape: [4, 4] };

describe("quantised weights are refused as such", () => {
  it.each<[string, string]>([
    ["bitsandbytes, 4 bits", "weight.quant_state.bitsandbytes__nf4"],
    ["bitsandbytes, 8 bits", "SCB"],
    ["GPTQ and AWQ", "qweight"],
    ["HQQ", "W_q"],
    ["EETQ", "weight_scales"],
    ["FP8", "weight_scale_inv"],
    ["compressed-tensors", "weight_packed"],
    ["MLX", "scales"],
    ["EXL2", "q_weight"],
    ["AQLM", "codebooks"],
    ["VPTQ", "centroids.weight"],
    ["quanto", "weight._data"],
  ])("of %s", (_, beside) => {
    const name = `${PATH}.${beside}`;
    const tensor = { name, dtype: "U8", shape: [4, 4] } as unknown as StoredTensor;
    const source = storedWeights(
      { weights: [WEIGHT] },
      { located: new Map([[name, tensor]]), prefix: "model.", directory: "m" },
    );
    expect(() => source.get(WEIGHT)).toThrow(`m: tensor ${name} stands beside a packed matrix: quantised weights`);
  });
});
