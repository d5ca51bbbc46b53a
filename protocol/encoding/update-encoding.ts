/** How the adapters of updates are written: a part of the manifest. */
import type { ENCODING, TOP_K } from "../settings/encoding.ts";
import type { FieldValue, RecordOf } from "../settings/field.ts";

/** How a value is written: four bytes, two, or one with a scale for each row (the last axis of a tensor). */
export type ValueEncoding = FieldValue<(typeof ENCODING)["values"]>;

/** How the adapters of updates are written; see update-payload.ts. */
export interface UpdateEncoding {
  readonly values: ValueEncoding;
  /** Only the largest changes since the author's previous update; every value in every update when absent. */
  readonly topK?: RecordOf<typeof TOP_K>;
}
