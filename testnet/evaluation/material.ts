/** The base model and the data of a suite, and the reason why a suite is left out where they are not there. */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readRecords } from "../../node/data/dataset.ts";
import { NodeError } from "../../node/errors.ts";
import { modelDigest } from "../../node/model/huggingface.ts";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { type IntentFiles, intentGroups, type RecordGroups, speakerGroups } from "./assets-data.ts";
import { openSharedBase } from "./base.ts";
import { embeddedData } from "./embedded-data.ts";
import { groupData, type Scoring } from "./group-data.ts";
import { type CommonsenseRow, commonsenseRecord, type Gsm8kRow, gsm8kRecord } from "./paper-prompt.ts";
import type { SuiteMaterial } from "./run-table.ts";
import type { Suite } from "./table.ts";

/** The folders in which base models and data may be found. */
export interface MaterialOptions {
  /** Folder of data sets and models that others made. */
  readonly assets: string;
  /** Directory of the base model that suites with the base "named" use. */
  readonly base: string | undefined;
  readonly threads: number;
}

/** undefined, with the reason told to `skip`, where something is missing.  Throws: whatever is there but cannot be used. */
export async function materialOf(
  suite: Suite,
  { assets, base, threads }: MaterialOptions,
  skip: (reason: string) => void,
): Promise<SuiteMaterial | undefined> {
  const directory = {
    embedded: embeddedModelDirectory(),
    "tinystories-656k": join(assets, "models/tinystories-656k"),
    named: base,
  }[suite.base];
  if (directory === undefined) {
    skip(`suite ${suite.name}: it needs a base model; name its directory with --base DIR`);
    return undefined;
  }
  const missing = await firstMissing([directory, ...filesOf(suite).map((file) => join(assets, file))]);
  if (missing !== undefined) {
    skip(`suite ${suite.name}: ${missing} is not there`);
    return undefined;
  }
  const shared = openSharedBase(directory, { threads });
  const groups = await groupsOf(suite, assets);
  const { maxTokens, batchSize } = batchFields(suite);
  const common = { sizes: suite.sizes, tokenizer: shared.tokenizer, maxTokens, batchSize };
  return {
    base: shared,
    modelDigest: modelDigest(shared.files).weights,
    data: async (options) =>
      groups === undefined
        ? embeddedData({ ...options, ...common })
        : groupData(groups, { ...options, ...common, scoring: SCORINGS[suite.data] }),
  };
}

const SCORINGS: Readonly<Record<Suite["data"], Scoring>> = {
  tasks: "loss",
  speakers: "loss",
  intents: "intents",
  commonsense: "commonsense",
  gsm8k: "gsm8k",
};

const COMMONSENSE = ["ARC-Easy", "ARC-Challenge", "openbookqa", "boolq"];

function filesOf({ data }: Suite): readonly string[] {
  switch (data) {
    case "tasks":
      return [];
    case "speakers":
      return ["data/tinyshakespeare/input.txt"];
    case "intents":
      return ["data/clinc150/data_full.json", "data/clinc150/domains.json"];
    case "commonsense":
      return COMMONSENSE.flatMap((name) => ["train", "test"].map((part) => `data/llm-adapters/${name}_${part}.json`));
    case "gsm8k":
      return ["data/gsm8k/train.jsonl", "data/gsm8k/test.jsonl"];
  }
}

/** undefined for the embedded tasks, which are drawn and not read. */
async function groupsOf(suite: Suite, assets: string): Promise<RecordGroups | undefined> {
  const texts = await Promise.all(filesOf(suite).map((file) => readFile(join(assets, file), "utf8")));
  switch (suite.data) {
    case "tasks":
      return undefined;
    case "speakers":
      return speakerGroups(await readRecords({ file: filesOf(suite)[0]!, text: texts[0]! }), suite.sizes);
    case "intents": {
      const [questions, domains] = texts.map((text) => JSON.parse(text)) as [
        IntentFiles["questions"],
        IntentFiles["domains"],
      ];
      return intentGroups({ questions, domains });
    }
    case "commonsense": {
      const parts = texts.map((text, i) =>
        (JSON.parse(text) as CommonsenseRow[]).map((row) => inPart(commonsenseRecord(row), i % 2 === 0)),
      );
      return new Map(COMMONSENSE.map((name, i) => [name, [...parts[2 * i]!, ...parts[2 * i + 1]!]]));
    }
    case "gsm8k": {
      const rows = texts.flatMap((text, i) =>
        text
          .split("\n")
          .filter((line) => line.trim() !== "")
          .map((line) => inPart(gsm8kRecord(JSON.parse(line) as Gsm8kRow), i === 0)),
      );
      return new Map([["gsm8k", rows]]);
    }
  }
}

const inPart = <T extends { readonly fields: Readonly<Record<string, string>> }>(record: T, train: boolean): T => ({
  ...record,
  fields: { ...record.fields, part: train ? "train" : "test" },
});

/** Throws: NodeError CONFIG_INVALID where the table leaves out what the data need to know. */
function batchFields({ name, training }: Suite): { readonly maxTokens: number; readonly batchSize: number } {
  const { maxTokens, batchSize } = training;
  if (typeof maxTokens === "number" && typeof batchSize === "number") return { maxTokens, batchSize };
  throw new NodeError("CONFIG_INVALID", `suite ${name}: training needs maxTokens and batchSize`, { suite: name });
}

async function firstMissing(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      await access(path);
    } catch {
      return path;
    }
  }
  return undefined;
}
