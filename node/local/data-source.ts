/** From a data file, or the embedded tasks, to the token examples that one peer trains on. */
import { counted } from "../../protocol/counted.ts";
import { type ColumnMap, parseColumnMap } from "../data/column-map.ts";
import { contentDigest } from "../data/content-digest.ts";
import { type ContentSets, prepareByContent, type SetName } from "../data/content-sets.ts";
import { prepareExamples, taskRecords } from "../data/dataset.ts";
import { defaultTasks } from "../data/embedded/default-tasks.ts";
import type { CutCounts } from "../data/example.ts";
import { FRAME_WORDS, FrameCount } from "../data/frame.ts";
import { partition } from "../data/partition.ts";
import type { DataRecord } from "../data/record.ts";
import { parseRoleMap } from "../data/role-map.ts";
import { parseSplit } from "../data/split-rule.ts";
import type { TrainedData } from "../data/trained-data.ts";
import { unwrittenThoughts } from "../data/unwritten-thoughts.ts";
import { NodeError } from "../errors.ts";
import type { ExampleSets } from "../interface/trainer.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { STANDARD_INPUT } from "../system/files/data-bytes.ts";
import { type DataSet, openDataSet } from "../system/files/data-files.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { visibleLine } from "../visible-text.ts";
import { openChatTemplate, unchosenTemplates } from "./chat-template.ts";
import { type NetworkFrame, openNetworkTemplate } from "./network-frame.ts";

/** Which data a peer has, and how it is divided and cut. */
export interface DataOptions {
  /** A file of rows or text, a folder of such files, or `-` for standard input; the embedded tasks when absent. */
  readonly file?: string;
  /** Names of the file's columns, as in `prompt=frage,response=antwort`. */
  readonly columns?: string;
  /** Whose turns of a conversation are whose, as in `assistant=Dr. Weber,user=Patient`. */
  readonly roles?: string;
  /** Of text files; default utf-8. */
  readonly charset?: string;
  /** How conversations are written: a chat template of the model by name, a file of one, or `none`; default: the model's. */
  readonly chatTemplate?: string;
  /** How the file is divided among peers: `speaker`, `field:NAME`, `iid` or `dirichlet:ALPHA[:FIELD]`; default iid. */
  readonly split?: string;
  /** This peer's part of the data: `index` of `count`, counted from 0; all of it when absent. */
  readonly part?: { readonly index: number; readonly count: number };
  /** Seed of the division among peers, the same for all peers that divide one file, and of the embedded tasks. */
  readonly seed: number;
  /**
   * What is held out: by what examples say, the same everywhere; or by the seed, as peers did whose networks began
   * before that was so. Default: by content.
   */
  readonly heldOut?: "by content" | "by seed";
}

/** The data, and the model whose tokenizer reads it. */
export interface LoadExamplesOptions extends DataOptions {
  readonly modelDirectory: string;
  readonly maxTokens: number;
  readonly batchSize: number;
  /** Of a network: how its peers write conversations; they have its template, or are refused. */
  readonly frame?: NetworkFrame;
  /** Files that are held out whole. */
  readonly validation?: string;
  readonly test?: string;
  /** The sets that must not be empty; default: all three have a batch at least. */
  readonly needed?: readonly SetName[];
  /** What is kept with an adapter: what it was trained on is held out no more, and its chat template writes conversations. */
  readonly trained?: TrainedData | undefined;
}

/** A peer's example sets, and what was cut of them. */
export interface LoadedExamples {
  readonly sets: ExampleSets;
  /** The parts of records that did not fit into maxTokens. */
  readonly cut: CutCounts;
  /** What the files turned out to be, and what was left out and why: lines for people. */
  readonly notes?: readonly string[];
  /** What of the model's files is not as their config says; see `BaseModel`. */
  readonly modelNotes?: readonly string[];
  /** What is to be kept with an adapter that is trained on these; absent for the embedded tasks. */
  readonly trainedData?: TrainedData;
}

/** The records of one peer.  Throws: DATA_FORMAT, DATA_TOO_SMALL, CONFIG_INVALID: one line naming the file. */
export async function loadRecords(options: DataOptions): Promise<readonly DataRecord[]> {
  const { file, seed, part = WHOLE } = options;
  if (file === undefined) return taskRecords(defaultTasks({ seed, peers: part.count })[part.index]!);
  return partOf(await collected(await openRecords(file, options)), file, options);
}

async function collected({ records }: DataSet): Promise<DataRecord[]> {
  const all: DataRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

const WHOLE = { index: 0, count: 1 };

/** The records of a file as it is, one after another.  Throws: as `openDataSet`; CONFIG_INVALID for a bad map of columns or roles. */
export function openRecords(
  file: string,
  { columns, roles, charset }: Pick<DataOptions, "columns" | "roles" | "charset">,
): Promise<DataSet> {
  const map: ColumnMap | undefined = columns === undefined ? undefined : parseColumnMap(columns);
  return openDataSet(file, { columns: map, roles: roles === undefined ? undefined : parseRoleMap(roles), charset });
}

function partOf(records: readonly DataRecord[], file: string, options: DataOptions): readonly DataRecord[] {
  const { split = "iid", part = WHOLE, seed, heldOut } = options;
  if (part.count === 1) return records;
  const rule = parseSplit(split);
  const repeated = heldOut === "by seed" ? "apart" : "together";
  return naming(file, () => partition(records, { rule, peers: part.count, seed, repeated })[part.index]!);
}

/** Throws: as `loadRecords`, which name the file here too, and TOKENIZER_MISSING, MODEL_MISSING, MODEL_CONFIG, MODEL_MISMATCH. */
export async function loadExamples(options: LoadExamplesOptions): Promise<LoadedExamples> {
  const { modelDirectory, maxTokens, batchSize, seed, file, heldOut } = options;
  const files = readModelFiles(modelDirectory);
  const tokenizer = tokenizerOfFiles(files);
  const { classifier, notes: modelNotes } = loadBaseModel(files);
  const { chatTemplate, trained: kept, frame } = options;
  const template = frame
    ? openNetworkTemplate(files, { chatTemplate, frame })
    : openChatTemplate(files, { chatTemplate, kept });
  const encoding = {
    tokenizer,
    maxTokens,
    batchSize,
    seam: "blank" as const,
    ...(classifier && { labels: classifier.labels, ofTokens: classifier.reads === "each token" }),
  };
  const loaded = async (): Promise<LoadedExamples> => {
    const isOfTasks = [file, options.test, options.validation].every((one) => one === undefined);
    if (heldOut !== "by seed" && !isOfTasks) return examplesOfFiles(options, { ...encoding, template });
    const records = await loadRecords(options);
    const asked = { ...encoding, seam: "parts" as const, seed };
    if (heldOut !== "by seed") return ofTasks(records, asked, options);
    return naming(file, () => prepareExamples(records, asked));
  };
  const examples = await loaded();
  const unchosen =
    examples.trainedData?.frame === "turns" && !frame ? unchosenTemplates(files, { chatTemplate, kept }) : [];
  const notes = [...(examples.notes ?? []), ...unchosen.map((text) => `warning: ${text}`)];
  return { ...examples, ...(notes.length > 0 && { notes }), ...(modelNotes.length > 0 && { modelNotes }) };
}

/** The embedded tasks, whose records say themselves which set they belong to. */
function ofTasks(
  records: readonly DataRecord[],
  encoding: Parameters<typeof prepareExamples>[1],
  { trained }: LoadExamplesOptions,
): LoadedExamples {
  const before = trained?.digests ?? new Set();
  const isTrained = ({ fields }: DataRecord): boolean => fields.set === "train";
  const kept = records.filter((record) => isTrained(record) || !before.has(contentDigest(record)));
  const digests = new Set([...before, ...records.filter(isTrained).map(contentDigest)]);
  const { maxTokens, batchSize } = encoding;
  const left = records.length - kept.length;
  return {
    ...prepareExamples(kept, encoding),
    ...(left > 0 && { notes: [leftOutWords(left)] }),
    trainedData: { frame: "plain", maxTokens, batchSize, digests },
  };
}

type Encoding = Pick<
  Parameters<typeof prepareByContent>[1],
  "tokenizer" | "maxTokens" | "batchSize" | "labels" | "seam" | "template"
>;

async function examplesOfFiles(options: LoadExamplesOptions, encoding: Encoding): Promise<LoadedExamples> {
  const { file, part = WHOLE, needed, trained } = options;
  const notes: string[] = [];
  const frames = new FrameCount({ hasTemplate: encoding.template !== undefined });
  const readAll = async (path: string): Promise<DataRecord[]> => {
    const source = await openRecords(path, options);
    const records = await collected(source);
    notes.push(...fileNotes(path, source));
    return records;
  };
  const given = {
    ...(options.validation !== undefined && { validation: await readAll(options.validation) }),
    ...(options.test !== undefined && { test: await readAll(options.test) }),
  };
  const main = file === undefined ? undefined : await openRecords(file, options);
  async function* records(): AsyncGenerator<DataRecord> {
    // Where peers share a file, all of it decides who has what; else records pass through one by one.
    if (main === undefined || file === undefined) return;
    for await (const record of part.count > 1 ? partOf(await collected(main), file, options) : main.records) {
      frames.add(record);
      yield record;
    }
  }
  const settings = { ...encoding, given, ...(needed && { needed }), ...(trained && { trained: trained.digests }) };
  const sets = await namingLater(file ?? options.test ?? options.validation, () =>
    prepareByContent(records(), settings),
  );
  if (main !== undefined && file !== undefined) {
    notes.push(...fileNotes(file, main, `; frame: ${FRAME_WORDS[frames.most()]}`));
    for (const text of unwrittenThoughts(main.found.thoughts, encoding.template?.texts)) notes.push(`warning: ${text}`);
  }
  const { maxTokens, batchSize, template } = encoding;
  const digests = new Set([...sets.digests, ...(trained?.digests ?? [])]);
  const frame = frames.most();
  const chatTemplate = frame === "template" ? template?.texts : undefined;
  return {
    sets: sets.sets,
    cut: sets.cut,
    notes: [...notes, ...divisionNotes(sets)],
    trainedData: { frame, ...(chatTemplate && { chatTemplate }), maxTokens, batchSize, digests },
  };
}

/** What a file turned out to be, and what its owner must look at. */
function fileNotes(path: string, { found }: DataSet, more = ""): readonly string[] {
  const warnings = [...found.warnings].map((warning) => `warning: ${warning}`);
  return [`${path}: ${found.line()}${more}`, ...warnings].map(visibleLine);
}

function divisionNotes({ repeated, leftOut, alsoGiven, alsoTrained }: ContentSets): string[] {
  return [
    ...(repeated > 0
      ? [
          `${counted(repeated, "record repeats another one; both stand", "records repeat others; they stand")} on one side of what is held out`,
        ]
      : []),
    ...(alsoGiven > 0
      ? [
          `${counted(alsoGiven, "record stands in a file of held-out data too; it is", "records stand in a file of held-out data too; they are")} not trained on`,
        ]
      : []),
    ...(alsoTrained > 0
      ? [
          `warning: ${counted(alsoTrained, "held-out record is", "held-out records are")} trained on too, as the field "set" says`,
        ]
      : []),
    ...(leftOut > 0 ? [leftOutWords(leftOut)] : []),
  ];
}

/** A fault in the data of a file, in a line that begins with the file. */
function naming<T>(file: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof NodeError)) throw cause;
    const isAboutData = cause.code === "DATA_TOO_SMALL" || cause.code === "DATA_FORMAT";
    const isNamed = file === STANDARD_INPUT || (file !== undefined && cause.message.startsWith(file));
    if (file === undefined || !isAboutData || isNamed) throw cause;
    throw new NodeError(cause.code, `${file}: ${cause.message}`, { file, ...cause.facts }, { cause });
  }
}

/** What is wrong with the data of a file, in a line that begins with the file. */
export async function namingLater<T>(file: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    return naming(file, () => {
      throw cause;
    });
  }
}

const leftOutWords = (records: number): string =>
  `${counted(records, "held-out record was trained on before; it is", "held-out records were trained on before; they are")} left out`;
