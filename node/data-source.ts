/** From a data file, or the embedded tasks, to the token examples that one peer trains on. */
import { prepareExamples, taskRecords } from "./data/dataset.ts";
import { defaultTasks } from "./data/embedded/default-tasks.ts";
import type { CutCounts } from "./data/example.ts";
import { partition } from "./data/partition.ts";
import type { DataRecord } from "./data/record.ts";
import { parseSplit } from "./data/split-rule.ts";
import type { ExampleSets } from "./interface/trainer.ts";
import { loadBaseModel } from "./model/huggingface.ts";
import { tokenizerOfFiles } from "./model/tokenizer.ts";
import { readDataFile } from "./system/data-files.ts";
import { readModelFiles } from "./system/model-files.ts";

export interface DataOptions {
  /** JSONL or text; the embedded tasks when absent. */
  readonly file?: string;
  /** How the file is divided among peers: `speaker`, `field:NAME`, `iid` or `dirichlet:ALPHA[:FIELD]`; default iid. */
  readonly split?: string;
  /** Which part is this peer's: `index` of `count`, counted from 0; default all of it. */
  readonly part?: { readonly index: number; readonly count: number };
  /** Seed of the division, the same for all peers that divide one file. */
  readonly seed: number;
}

export interface LoadExamplesOptions extends DataOptions {
  readonly modelDirectory: string;
  readonly maxTokens: number;
  readonly batchSize: number;
}

export interface LoadedExamples {
  readonly sets: ExampleSets;
  /** What did not fit into maxTokens. */
  readonly cut: CutCounts;
}

/** The records of one peer.  Throws: DATA_FORMAT, DATA_TOO_SMALL, CONFIG_INVALID: one line naming the file. */
export async function loadRecords(options: DataOptions): Promise<readonly DataRecord[]> {
  const { file, split = "iid", part = { index: 0, count: 1 }, seed } = options;
  if (file === undefined) return taskRecords(defaultTasks({ seed, peers: part.count })[part.index]!);
  const records = await readDataFile(file);
  if (part.count === 1) return records;
  return partition(records, { rule: parseSplit(split), peers: part.count, seed })[part.index]!;
}

/** Throws: as `loadRecords`, and TOKENIZER_MISSING, MODEL_MISSING, MODEL_CONFIG. */
export async function loadExamples(options: LoadExamplesOptions): Promise<LoadedExamples> {
  const { modelDirectory, maxTokens, batchSize, seed } = options;
  const files = readModelFiles(modelDirectory);
  const tokenizer = tokenizerOfFiles(files);
  const { classifier } = loadBaseModel(files);
  const labels = classifier ? { labels: classifier.labels } : {};
  return prepareExamples(await loadRecords(options), { tokenizer, maxTokens, batchSize, seed, ...labels });
}
