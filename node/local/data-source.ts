/** From a data file, or the embedded tasks, to the token examples that one peer trains on. */
import { prepareExamples, taskRecords } from "../data/dataset.ts";
import { defaultTasks } from "../data/embedded/default-tasks.ts";
import type { CutCounts } from "../data/example.ts";
import { partition } from "../data/partition.ts";
import type { DataRecord } from "../data/record.ts";
import { parseSplit } from "../data/split-rule.ts";
import { NodeError } from "../errors.ts";
import type { ExampleSets } from "../interface/trainer.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { readDataFile } from "../system/files/data-files.ts";
import { readModelFiles } from "../system/files/model-files.ts";

/** Which data a peer has, and how it is divided and cut. */
export interface DataOptions {
  /** JSONL or text; the embedded tasks when absent. */
  readonly file?: string;
  /** How the file is divided among peers: `speaker`, `field:NAME`, `iid` or `dirichlet:ALPHA[:FIELD]`; default iid. */
  readonly split?: string;
  /** This peer's part of the data: `index` of `count`, counted from 0; all of it when absent. */
  readonly part?: { readonly index: number; readonly count: number };
  /** Seed of the division, the same for all peers that divide one file. */
  readonly seed: number;
}

/** The data, and the model whose tokenizer reads it. */
export interface LoadExamplesOptions extends DataOptions {
  readonly modelDirectory: string;
  readonly maxTokens: number;
  readonly batchSize: number;
}

/** A peer's example sets, and what was cut of them. */
export interface LoadedExamples {
  readonly sets: ExampleSets;
  /** The parts of records that did not fit into maxTokens. */
  readonly cut: CutCounts;
}

/** The records of one peer.  Throws: DATA_FORMAT, DATA_TOO_SMALL, CONFIG_INVALID: one line naming the file. */
export async function loadRecords(options: DataOptions): Promise<readonly DataRecord[]> {
  const { file, split = "iid", part = { index: 0, count: 1 }, seed } = options;
  if (file === undefined) return taskRecords(defaultTasks({ seed, peers: part.count })[part.index]!);
  const records = await readDataFile(file);
  if (part.count === 1) return records;
  const rule = parseSplit(split);
  return naming(file, () => partition(records, { rule, peers: part.count, seed })[part.index]!);
}

/** Throws: as `loadRecords`, which name the file here too, and TOKENIZER_MISSING, MODEL_MISSING, MODEL_CONFIG. */
export async function loadExamples(options: LoadExamplesOptions): Promise<LoadedExamples> {
  const { modelDirectory, maxTokens, batchSize, seed } = options;
  const files = readModelFiles(modelDirectory);
  const tokenizer = tokenizerOfFiles(files);
  const { classifier } = loadBaseModel(files);
  const labels = classifier ? { labels: classifier.labels } : {};
  const records = await loadRecords(options);
  return naming(options.file, () => prepareExamples(records, { tokenizer, maxTokens, batchSize, seed, ...labels }));
}

/** A fault in the data of a file, in a line that begins with the file. */
function naming<T>(file: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const isAboutData = cause instanceof NodeError && (cause.code === "DATA_TOO_SMALL" || cause.code === "DATA_FORMAT");
    if (file === undefined || !isAboutData || cause.message.startsWith(file)) throw cause;
    throw new NodeError(cause.code, `${file}: ${cause.message}`, { file, ...cause.facts }, { cause });
  }
}
