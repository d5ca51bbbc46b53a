/** Every kind of adapter, by its word, for models of the Llama family: what the audit of updates goes through. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";

const low = { rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all" } as const;
const everyLinear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
const reft = { rank: 8, layers: "all", positions: { first: 7, last: 7, tied: false } } as const;

/** By the words of `--adapter`. */
export const INVERSION_ADAPTERS: Readonly<Record<string, AdapterSettings>> = {
  "lora:r8:q_proj,v_proj": { kind: "lora", ...low },
  "dora:r8:q_proj,v_proj": { kind: "dora", ...low },
  "ffa-lora:r8:q_proj,v_proj": { kind: "ffa-lora", ...low },
  "tri-lora:r8:q_proj,v_proj": { kind: "tri-lora", ...low, basis: "shared" },
  "tri-lora:r8:personal:q_proj,v_proj": { kind: "tri-lora", ...low, basis: "personal" },
  "loreft:r8:f7+l7": { kind: "loreft", ...reft },
  "loreft:r8:all": { kind: "loreft", ...reft, positions: "all" },
  "direft:r8:f7+l7": { kind: "direft", ...reft },
  "noreft:r8:f7+l7": { kind: "noreft", ...reft },
  "nodireft:r8:f7+l7": { kind: "nodireft", ...reft },
  // What a new network gives a shallow model for questions with answers.
  "lora:r2:q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj:alpha4+loreft:r4:all": {
    kind: "combination",
    lora: { kind: "lora", rank: 2, alpha: 4, targets: everyLinear, layers: "all" },
    reft: { kind: "loreft", rank: 4, layers: "all", positions: "all" },
  },
};
