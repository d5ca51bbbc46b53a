/** What an update would have if the adapter were plain LoRA: what other adapters are held against. */
import type { ModelShape } from "../model/base-model.ts";

/** A common rank, and the one that docs/TRAFFIC.md counts with. */
const RANK = 8;
/** Linear layers that make queries and values, or both with the keys, by the names that model families give them. */
const QUERIES_AND_VALUES =
  /(^|\.)(q_proj|v_proj|query|value|q_lin|v_lin|query_proj|value_proj|c_attn|query_key_value|qkv_proj|Wqkv)$/;

/**
 * Bytes of the values of LoRA of rank 8 on the layers of queries and values, in float32: 4 r (inputs + outputs) summed over them.
 * 0 where a model has no layer of these names.
 */
export function loraUpdateBytes({ linears }: Pick<ModelShape, "linears">): number {
  return linears
    .filter(({ path }) => QUERIES_AND_VALUES.test(path))
    .reduce((sum, { inputs, outputs }) => sum + 4 * RANK * (inputs + outputs), 0);
}
