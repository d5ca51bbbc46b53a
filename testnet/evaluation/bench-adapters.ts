/** Adapters that the benchmarks of this folder compare. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";

const TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
const low = { alpha: 16, rank: 8, targets: TARGETS, layers: "all" } as const;
const reft = { rank: 8, layers: "all", positions: "all" } as const;
/** By their short words, for models of the Llama family; `from`: the least rate that a search tries. */
export const BENCH_ADAPTERS: Readonly<Record<string, { readonly adapter: AdapterSettings; readonly from: number }>> = {
  "loreft:r4:f7+l7": {
    adapter: { kind: "loreft", rank: 4, layers: "all", positions: { first: 7, last: 7, tied: false } },
    from: 3e-3,
  },
  "loreft:r8:all": { adapter: { kind: "loreft", ...reft }, from: 3e-3 },
  "direft:r8:all": { adapter: { kind: "direft", ...reft }, from: 3e-3 },
  "noreft:r8:all": { adapter: { kind: "noreft", ...reft }, from: 1e-3 },
  "nodireft:r8:all": { adapter: { kind: "nodireft", ...reft }, from: 1e-3 },
  "lora:r2+loreft:r4:all": {
    adapter: {
      kind: "combination",
      lora: { kind: "lora", ...low, rank: 2, alpha: 4 },
      reft: { kind: "loreft", ...reft, rank: 4 },
    },
    from: 3e-3,
  },
  "lora:r8": { adapter: { kind: "lora", ...low }, from: 3e-3 },
  "ffa-lora:r8": { adapter: { kind: "ffa-lora", ...low }, from: 1e-2 },
  "tri-lora:r8": { adapter: { kind: "tri-lora", ...low, basis: "shared" }, from: 3e-2 },
  "tri-lora:r32": { adapter: { kind: "tri-lora", ...low, rank: 32, alpha: 64, basis: "shared" }, from: 1e-2 },
};
