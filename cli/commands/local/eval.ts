/** `weft eval`: a model with or without an adapter on held-out data. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { counted, type ExampleSets, modelDoor, NodeError, trainingDoor, workDoor } from "../../../node/index.ts";
import { scoreLines } from "../../../testnet/words/score-table.ts";
import { textTable } from "../../../testnet/words/text-table.ts";
import { baseLine } from "../../base-line.ts";
import type { CommandRow } from "../../command-row.ts";
import {
  DATA,
  type DataFlags,
  dataNote,
  dataOptions,
  HELD_OUT,
  type HeldOutFlags,
  READING,
} from "../../data-options.ts";
import { engineFlags, engineOf, USE_OPTIONS, type UseOptions } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS, type NetworkOptions } from "../../network-options.ts";
import { choice } from "../../option-value.ts";
import { ADAPTER, JSON_OUTPUT, MODEL, networkOptionsNamed, SEED } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft eval`, and what it runs. */
export const evalCommand: CommandRow = {
  name: ["eval"],
  text: "Evaluate a model on held-out data, with an adapter or without.",
  options: [
    MODEL,
    DATA,
    ...READING,
    ...HELD_OUT,
    { ...ADAPTER, otherwise: "the base model alone" },
    {
      flags: "--set <name>",
      text: "set of examples: test, validation or train",
      parse: choice(["test", "validation", "train"]),
      otherwise: "test",
    },
    {
      flags: "--tasks <file>",
      text: "in place of --data: JSON lines of items with choices (task, prompt, choices, answer) or with an answer to write (task, prompt, target), scored by acc, acc_norm, exact match, F1 and Matthews",
    },
    ...networkOptionsNamed("batch-size", "max-tokens"),
    {
      ...SEED,
      text: "seed of the embedded tasks",
      otherwise: `the adapter's, else ${NETWORK_DEFAULTS.seed}`,
    },
    ...engineFlags({ only: USE_OPTIONS }),
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft eval --data alice.jsonl --adapter alice-lora",
  json: {
    adapter: "folder of the adapter, or null",
    "set?": "the set of examples",
    "examples?": "number of examples",
    "loss?": "nats per response token",
    "accuracy?": "share of response tokens predicted",
    "exactMatch?": "share of responses predicted whole",
    "tokens?": "number of response tokens",
    "entities?": "scores of named entities",
    "tasks?": "scores of each task; with --tasks the only other key",
  },
  run,
};

type EvalCommandOptions = Pick<NetworkOptions, "batchSize" | "maxTokens" | "seed"> &
  DataFlags &
  HeldOutFlags &
  UseOptions & {
    readonly model?: string;
    readonly adapter?: string;
    readonly set?: keyof ExampleSets;
    readonly tasks?: string;
    readonly json?: boolean;
  };

async function run(options: EvalCommandOptions, terminal: Terminal): Promise<number> {
  const { baseIdentity, keptTrainedData, loadAdapter, openModel } = await modelDoor();
  const { loadExamples, evaluateLocally } = await trainingDoor();
  const directory = modelDirectory(options.model);
  const opened = openModel(directory, options);
  for (const note of opened.model.notes) terminal.err(`${note}\n`);
  const base = options.base ?? "f32";
  if (base !== "f32") terminal.err(`${baseLine(baseIdentity(opened.model, opened.files, base))}\n`);
  const loaded = options.adapter === undefined ? undefined : await loadAdapter(resolve(options.adapter), opened);
  for (const note of loaded?.notes ?? []) terminal.err(`${note}\n`);
  const trained = options.adapter === undefined ? undefined : await keptTrainedData(resolve(options.adapter));
  if (options.tasks !== undefined) return await runTasks(options, { opened, adapter: loaded?.adapter, terminal });
  const { seed = loaded?.adapter.seed ?? NETWORK_DEFAULTS.seed } = options;
  const { training } = NETWORK_DEFAULTS;
  const set = options.set ?? "test";
  const maxTokens = Math.min(
    options.maxTokens ?? trained?.maxTokens ?? training.maxTokens,
    opened.model.shape.contextTokens,
  );
  const {
    sets,
    cut,
    notes = [],
  } = await loadExamples({
    ...dataOptions(options),
    modelDirectory: directory,
    maxTokens,
    batchSize: options.batchSize ?? trained?.batchSize ?? training.batchSize,
    seed,
    needed: [set],
    ...(trained && { trained }),
  });
  for (const note of notes) terminal.err(dataNote(note));
  if (cut.records > 0)
    terminal.err(`${counted(cut.records, "record is", "records are")} longer than ${maxTokens} tokens and cut\n`);
  const score = await evaluateLocally({
    opened,
    adapter: loaded?.adapter,
    data: sets,
    set,
    engine: engineOf(options, { threads: availableParallelism() }),
  });
  if (!Number.isFinite(score.loss)) {
    const whose = loaded ? "the model's weights, or the adapter's, are" : "the model's weights are";
    throw new NodeError("MODEL_CONFIG", `the loss is not a number; ${whose} damaged`);
  }
  const name = loaded ? "with the adapter" : "base model";
  if (options.json) {
    terminal.out(jsonText({ adapter: options.adapter ?? null, set, examples: sets[set].length, ...score }));
  } else {
    terminal.out(`${scoreLines({ [name]: score }).join("\n")}\n`);
  }
  return EXIT_OK;
}

/** Items in a file instead of held-out data: what others publish of models. */
async function runTasks(
  options: EvalCommandOptions,
  {
    opened,
    adapter,
    terminal,
  }: Pick<Parameters<Training["evaluateTasks"]>[0], "opened" | "adapter"> & { readonly terminal: Terminal },
): Promise<number> {
  const { evaluateTasks, readTaskItems } = await trainingDoor();
  const { tellWork } = await workDoor();
  const items = await readTaskItems(resolve(options.tasks ?? ""));
  const tasks = await evaluateTasks({
    opened,
    adapter,
    items,
    engine: engineOf(options, { threads: availableParallelism() }),
    signal: terminal.signal,
    onItem: (done) => tellWork({ what: "scoring", done, total: items.length, unit: "items" }),
  });
  if (options.json) terminal.out(jsonText({ adapter: options.adapter ?? null, tasks }));
  else terminal.out(`${measureLines(tasks).join("\n")}\n`);
  return EXIT_OK;
}

type Training = Awaited<ReturnType<typeof trainingDoor>>;

/** A row for each task; a measure that a task does not have is a dash. */
function measureLines(tasks: Awaited<ReturnType<Training["evaluateTasks"]>>): string[] {
  const measures = ["acc", "accNorm", "exactMatch", "f1", "matthews"] as const;
  const headings = ["acc", "acc_norm", "exact match", "F1", "Matthews"];
  const columns = [
    { heading: "task", numeric: false },
    ...["items", ...headings].map((heading) => ({ heading, numeric: true })),
  ];
  const rows = tasks.map((one) => {
    const known: { readonly [Name in (typeof measures)[number]]?: number } = one;
    return [one.task, String(one.items), ...measures.map((name) => known[name]?.toFixed(4) ?? "–")];
  });
  return textTable(columns, rows);
}
