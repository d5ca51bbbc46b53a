/** A peer's data from end to end: a file's text to records, records to example sets. */
import { NodeError } from "../errors.ts";
import type { Example, ExampleSets } from "../interface/trainer.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import type { TaskSets } from "./embedded/default-tasks.ts";
import { type CutCounts, type EncodedRecords, encodeRecords } from "./example.ts";
import { requireBatches, splitHeldOut } from "./held-out.ts";
import { readJsonl } from "./jsonl.ts";
import { encodeLabelled } from "./labelled-example.ts";
import { readParagraphs } from "./plain-text.ts";
import type { DataRecord } from "./record.ts";
import { looksLikePlay, readSpeeches } from "./speakers.ts";

/** The records of a data file: its lines for JSONL, its whole text for anything else. */
export type DataSource =
  | { readonly file: string; readonly lines: AsyncIterable<string> | Iterable<string> }
  | { readonly file: string; readonly text: string };

/** Records of a data file: JSONL rows, speeches of a play, or paragraphs.  Throws: NodeError DATA_FORMAT. */
export async function readRecords(source: DataSource): Promise<DataRecord[]> {
  const { file } = source;
  if ("lines" in source) return readJsonl(source.lines, { file });
  if (source.text.trim() === "") {
    throw new NodeError("DATA_FORMAT", `${file} is empty; give a file with text in it`, { file });
  }
  return looksLikePlay(source.text) ? readSpeeches(source.text, { file }) : readParagraphs(source.text, { file });
}

/** Records of the default tasks of one peer; the field `set` says which set each belongs to. */
export function taskRecords(sets: TaskSets): DataRecord[] {
  return SET_NAMES.flatMap((set) =>
    sets[set].map(
      ({ kind, prompt, response }): DataRecord => ({
        prompt,
        response,
        fields: { kind, set },
        overflow: "cut",
      }),
    ),
  );
}

/** How records become a peer's example sets. */
export interface ExampleSetOptions {
  readonly tokenizer: Tokenizer;
  readonly maxTokens: number;
  readonly batchSize: number;
  /** Decides which examples are held out; the peer's own. */
  readonly seed: number;
  /** Names of the classes, by number, for data of a classifier. */
  readonly labels?: readonly string[];
  /** Whether a class is given to each token. */
  readonly ofTokens?: boolean | undefined;
  /** See EncodeOptions. */
  readonly seam?: "blank" | "parts";
}

/** A peer's example sets, and what was cut or left out on the way. */
export interface PreparedExamples {
  readonly sets: ExampleSets;
  readonly cut: CutCounts;
}

/**
 * Example sets of one peer's records: as their field `set` says where all of them have it, else by a seeded split.
 * Throws: NodeError DATA_TOO_SMALL (less than a batch in a set), DATA_FORMAT (a `set` of no known name, or only on some).
 */
export function prepareExamples(records: readonly DataRecord[], options: ExampleSetOptions): PreparedExamples {
  const { batchSize, seed } = options;
  const assigned = records.filter(({ fields }) => Object.hasOwn(fields, "set")).length;
  if (assigned === 0) {
    const { examples, cut } = encode(records, options);
    return { sets: splitHeldOut(examples, { seed, batchSize }), cut };
  }
  if (assigned < records.length) {
    const text = `${records.length - assigned} of ${records.length} records have no field "set"; give it to all or none`;
    throw new NodeError("DATA_FORMAT", text, { assigned, records: records.length });
  }
  return assignedSets(records, options);
}

function encode(records: readonly DataRecord[], { labels, ...options }: ExampleSetOptions): EncodedRecords {
  return labels ? encodeLabelled(records, { ...options, labels }) : encodeRecords(records, options);
}

const SET_NAMES = ["train", "validation", "test"] as const;

function assignedSets(records: readonly DataRecord[], options: ExampleSetOptions): PreparedExamples {
  const unknown = records.find(({ fields }) => !SET_NAMES.some((name) => name === fields.set));
  if (unknown !== undefined) {
    const text = `a record's set is "${unknown.fields.set}"; it must be ${SET_NAMES.join(", ")}`;
    throw new NodeError("DATA_FORMAT", text, { set: unknown.fields.set });
  }
  const sets: Record<(typeof SET_NAMES)[number], readonly Example[]> = { train: [], validation: [], test: [] };
  const cut = { records: 0, promptTokens: 0, responseTokens: 0 };
  for (const name of SET_NAMES) {
    const encoded = encode(
      records.filter(({ fields }) => fields.set === name),
      options,
    );
    sets[name] = encoded.examples;
    cut.records += encoded.cut.records;
    cut.promptTokens += encoded.cut.promptTokens;
    cut.responseTokens += encoded.cut.responseTokens;
  }
  const total = sets.train.length + sets.validation.length + sets.test.length;
  requireBatches(sets, { batchSize: options.batchSize, different: total });
  return { sets, cut };
}
