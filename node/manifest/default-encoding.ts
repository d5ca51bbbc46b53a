/** How a new network writes its updates where it is not told: what each kind of adapter bears. */

import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { UpdateEncoding, ValueEncoding } from "../../protocol/encoding/update-encoding.ts";
import { ADAPTERS } from "../../protocol/settings/adapter-kinds.ts";

/** Updates from one keyframe to the next where only changed values are sent: at a share of 0.05 keyframes are then 2 of 5 bytes sent. */
export const KEYFRAME_EVERY = 16;

/**
 * What the kind's descriptor says, for these reasons:
 * - `tri-lora`: float32. C is r^2 values a site, few in any form. Who counts bytes takes a larger rank in int8: rank 14 has the
 *   bytes of rank 8 in float32, and is ahead of it in the four divisions of docs/evaluation that have both.
 * - `lora`, `ffa-lora`: int8. Its error is about 1 percent of a row, random and without a bias, so that it averages out over
 *   neighbours, and the edit is a product in which 1 percent of a factor is 1 percent of the edit.
 * - ReFT kinds, and combinations with one: float16. The edit is the difference of two projections of h, W h - R h, which
 *   start equal: an error of 1 percent in each would be larger than the edit itself. float16 errs by 0.02 percent.
 */
export function defaultValues({ kind }: AdapterSettings): ValueEncoding {
  return kind === "combination" ? "float16" : ADAPTERS.kinds[kind].values;
}

/** What a manifest says of an encoding: nothing where it is what absence means. */
export function manifestEncoding(encoding: UpdateEncoding): { readonly encoding?: UpdateEncoding } {
  return encoding.values === "float32" && encoding.topK === undefined ? {} : { encoding };
}
