/** How the adapters of updates are written: a part of the manifest. */

/** How a value is written: four bytes, two, or one with a scale for each row (the last axis of a tensor). */
export type ValueEncoding = "float32" | "float16" | "int8";

/** How the adapters of updates are written; see update-payload.ts. */
export interface UpdateEncoding {
  readonly values: ValueEncoding;
  /** Only the largest changes since the author's previous update; every value in every update when absent. */
  readonly topK?: {
    /** Of the values, how many an update holds. */
    readonly share: number;
    /** At every sequence that this divides an update holds every value. */
    readonly keyframeEvery: number;
  };
}
