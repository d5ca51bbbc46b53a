/** A data set looked through before anything is trained on it: what it is, what becomes of it, and what may be wrong. */
import { counted } from "../../protocol/counted.ts";
import { prepareByContent } from "../data/content-sets.ts";
import { DataTally, type ShownPart, type TokenBin } from "../data/data-tally.ts";
import type { FrameName } from "../data/frame.ts";
import type { DataRecord } from "../data/record.ts";
import { unwrittenThoughts } from "../data/unwritten-thoughts.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { openChatTemplate, unchosenTemplates } from "./chat-template.ts";
import { type LoadExamplesOptions, namingLater, openRecords } from "./data-source.ts";

/** What to look through, and how it would be trained on. */
export type DataCheckOptions = Pick<
  LoadExamplesOptions,
  "columns" | "roles" | "charset" | "chatTemplate" | "modelDirectory" | "maxTokens" | "batchSize"
> & {
  readonly file: string;
  /** How many rows are shown. */
  readonly rows: number;
};

/** What was found. */
export interface DataReport {
  readonly file: string;
  /** Form of the file, its rows by form, and what of them is not read. */
  readonly form: string;
  readonly records: number;
  readonly examples: number;
  /** Records by the frame that they are trained in. */
  readonly frames: Readonly<Partial<Record<FrameName, number>>>;
  readonly tokens: {
    readonly min: number;
    readonly median: number;
    readonly max: number;
    readonly bins: readonly TokenBin[];
  };
  readonly maxTokens: number;
  /** Records that are cut at the left of the prompt and at the right of the response, and tokens that are lost. */
  readonly cut: { readonly left: number; readonly right: number; readonly tokens: number };
  /** Records that say what another says. */
  readonly repeated: number;
  /** Answers by how often they are given, the commonest first; empty where answers are free text. */
  readonly labels: Readonly<Record<string, number>>;
  /** Examples by the set that their content puts them into. */
  readonly sets: { readonly train: number; readonly validation: number; readonly test: number };
  readonly shown: readonly (readonly ShownPart[])[];
  readonly warnings: readonly string[];
}

/** Throws: as loadExamples, but for a set that is too small, which is a warning here. */
export async function checkData(options: DataCheckOptions): Promise<DataReport> {
  const { file, modelDirectory, maxTokens, batchSize, chatTemplate, rows } = options;
  const files = readModelFiles(modelDirectory);
  const { classifier } = loadBaseModel(files);
  const encoding = {
    tokenizer: tokenizerOfFiles(files),
    template: openChatTemplate(files, { chatTemplate }),
    maxTokens,
    seam: "blank" as const,
    ...(classifier && { labels: classifier.labels, ofTokens: classifier.reads === "each token" }),
  };
  const opened = await openRecords(file, options);
  const tally = new DataTally(encoding, rows);
  let records = 0;
  async function* counted(): AsyncGenerator<DataRecord> {
    for await (const record of opened.records) {
      tally.add(record);
      records += 1;
      yield record;
    }
  }
  const divided = await namingLater(file, () => prepareByContent(counted(), { ...encoding, batchSize, needed: [] }));
  const { train, validation, test } = divided.sets;
  const { promptTokens, responseTokens } = divided.cut;
  const found = {
    file,
    form: opened.found.line(),
    records,
    examples: tally.tokens.length,
    frames: Object.fromEntries(tally.frames),
    tokens: tally.tokenSummary(),
    maxTokens,
    cut: { ...tally.cut, tokens: promptTokens + responseTokens },
    repeated: divided.repeated,
    labels: labelsOf(tally, records),
    sets: { train: train.length, validation: validation.length, test: test.length },
    shown: tally.shown,
  };
  const { alsoTrained } = divided;
  return {
    ...found,
    warnings: [
      ...opened.found.warnings,
      ...unwrittenThoughts(opened.found.thoughts, encoding.template?.texts),
      ...(tally.frames.has("turns") ? unchosenTemplates(files, { chatTemplate }) : []),
      ...warningsOf(found, { tally, batchSize, alsoTrained, hasClasses: classifier !== undefined }),
    ],
  };
}

/** Answers that are given often enough to be labels: three times on average. */
function labelsOf({ labels }: DataTally, records: number): Readonly<Record<string, number>> {
  const counted = [...labels].reduce((sum, [, count]) => sum + count, 0);
  if (labels.size < 2 || counted < records || counted < 3 * labels.size) return {};
  return Object.fromEntries([...labels].toSorted(([, a], [, b]) => b - a));
}

/** One label so many times as often as another is out of balance. */
const BALANCE_MAX = 10;

function warningsOf(
  found: Omit<DataReport, "warnings">,
  at: {
    readonly tally: DataTally;
    readonly batchSize: number;
    readonly alsoTrained: number;
    readonly hasClasses: boolean;
  },
): readonly string[] {
  const { tally, batchSize, alsoTrained, hasClasses } = at;
  const { cut, maxTokens, repeated, labels, sets, frames } = found;
  const counts = Object.values(labels);
  const rare = counts.at(-1) ?? 1;
  const smallest = Math.min(sets.train, sets.validation, sets.test);
  return [
    [
      tally.silent > 0,
      `${counted(tally.silent, "record has nothing to learn and is", "records have nothing to learn and are")} left out`,
    ],
    [
      cut.right > 0,
      `${counted(cut.right, "record loses the end of its answer: it is", "records lose the end of their answer: they are")} longer than ${maxTokens} tokens`,
    ],
    [
      cut.left > 0,
      `${counted(cut.left, "record loses the beginning of its prompt: it is", "records lose the beginning of their prompt: they are")} longer than ${maxTokens} tokens`,
    ],
    [
      !hasClasses && tally.endless > cut.right,
      `${counted(tally.endless, "example ends", "examples end")} with no token that ends an answer`,
    ],
    [repeated > 0, `${counted(repeated, "record repeats another one", "records repeat others")}`],
    [
      alsoTrained > 0,
      `${counted(alsoTrained, "held-out record is", "held-out records are")} trained on too, as the field "set" says`,
    ],
    [
      (counts[0] ?? 0) > BALANCE_MAX * rare,
      `the commonest answer is given ${counted(counts[0] ?? 0, "time")}, the rarest ${rare}`,
    ],
    [
      Object.keys(frames).length > 1,
      `the rows have ${Object.keys(frames).length} frames; the adapter keeps the commonest`,
    ],
    [frames.turns !== undefined, "conversations are written on plain lines, because no chat template is used"],
    [
      tally.textArguments > 0,
      `${counted(tally.textArguments, "record has", "records have")} tool calls whose arguments are text; give objects`,
    ],
    [smallest < batchSize, `a set has ${counted(smallest, "example")}, less than a batch of ${batchSize}`],
  ].flatMap(([holds, text]) => (holds === true && typeof text === "string" ? [text] : []));
}
