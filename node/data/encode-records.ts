/** One record as examples of the model at hand: text to go on with, or a text and the number of its class. */
import { NodeError } from "../errors.ts";
import type { Example } from "../interface/trainer.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { type CutCounts, type EncodeOptions, encodeRecords } from "./example.ts";
import { encodeLabelled } from "./labelled-example.ts";
import type { DataRecord } from "./record.ts";

/** The tokenizer, the room and, for a classifier, its classes. */
export interface EncodeIntoOptions extends EncodeOptions {
  readonly tokenizer: Tokenizer;
  readonly maxTokens: number;
  /** Names of the classes, by number, for data of a classifier. */
  readonly labels?: readonly string[];
  /** Whether a class is given to each token. */
  readonly ofTokens?: boolean | undefined;
}

/** index: the record's number, from 0, for error lines.  Throws: DATA_FORMAT, CONFIG_INVALID. */
export function encodeInto(
  record: DataRecord,
  index: number,
  { labels, ofTokens, ...options }: EncodeIntoOptions,
): { readonly examples: readonly Example[]; readonly cut: CutCounts } {
  if (labels) return encodeLabelled([record], { ...options, labels, ofTokens, first: index });
  try {
    return encodeRecords([record], options);
  } catch (cause) {
    if (!(cause instanceof NodeError) || cause.code !== "DATA_FORMAT") throw cause;
    throw new NodeError("DATA_FORMAT", `record ${index + 1}: ${cause.message}`, { record: index + 1 }, { cause });
  }
}
