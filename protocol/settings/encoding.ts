/** How the adapters of updates are written: the forms of a value, and how many of them are sent. */
import { LIMITS } from "../limits.ts";
import type { FieldTable } from "./field.ts";
import type { FlaggedTable } from "./flagged.ts";

/** The forms of a value. Another one is a codec in protocol/encoding/values.ts and an entry here. */
export const ENCODING = {
  values: {
    type: "choice",
    values: ["float32", "float16", "int8"],
    text: "how values are sent",
    note: "int8 has a scale for each row",
    source: "IEEE 754 binary32 and binary16; integers of 8 bits with stochastic rounding, protocol/encoding/int8.ts",
    flag: "encoding",
    placeholder: "word",
  },
} as const satisfies FlaggedTable;

/** Sending the largest changes only. */
export const TOP_K = {
  share: {
    type: "number",
    min: 0.0001,
    max: 0.5,
    text: "the share of the values that an update holds, those that changed most",
    source:
      "with error feedback: Stich et al. 2018, arXiv:1809.07599; above a half the indices cost more than they save",
  },
  keyframeEvery: {
    type: "integer",
    min: 2,
    max: LIMITS.keyframeEveryMax,
    text: "at every sequence that this divides an update holds every value",
    source: "LIMITS.keyframeEveryMax",
  },
} as const satisfies FieldTable;
