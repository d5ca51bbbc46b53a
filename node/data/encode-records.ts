/** One record as examples of the model at hand: text to go on with, or a text and the number of its class. */
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
}

/** index: the record's number, from 0, for error lines.  Throws: DATA_FORMAT, CONFIG_INVALID. */
export function encodeInto(
  record: DataRecord,
  index: number,
  { labels, ...options }: EncodeIntoOptions,
): { readonly examples: readonly Example[]; readonly cut: CutCounts } {
  return labels ? encodeLabelled([record], { ...options, labels, first: index }) : encodeRecords([record], options);
}
