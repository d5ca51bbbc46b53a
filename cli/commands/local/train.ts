/** `weft train`: one adapter on this machine, without a network. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import {
  type EngineOptions,
  type LocalTrainingResult,
  modelDoor,
  NodeError,
  trainingDoor,
} from "../../../node/index.ts";
import { scoreLines } from "../../../testnet/words/score-table.ts";
import { formatLoss } from "../../../testnet/words/text-table.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import type { CommandRow } from "../../command-row.ts";
import { DATA, type DataFlags, dataOptions, HELD_OUT, type HeldOutFlags, READING } from "../../data-options.ts";
import { engineFlags, engineOf } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { type NetworkOptions, networkSettings, PLAIN_DEFAULTS } from "../../network-options.ts";
import { integer, positive } from "../../option-value.ts";
import { chosenSettings, TUNE } from "../../recipe-argument.ts";
import { JSON_OUTPUT, MODEL, NEW_FOLDER, networkOptionsNamed, SCHEDULE, SEED } from "../../shared-options.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft train`, and what it runs. */
export const trainCommand: CommandRow = {
  name: ["train"],
  text: "Train one adapter on this machine, without a network, and evaluate it on held-out data.",
  options: [
    MODEL,
    DATA,
    ...READING,
    ...HELD_OUT,
    ...networkOptionsNamed("adapter"),
    { flags: "--from <folder>", text: "an adapter to train further, instead of --adapter" },
    { flags: "--steps <count>", text: "optimiser steps", parse: integer(1, 100_000_000) },
    {
      flags: "--epochs <count>",
      text: "passes over the data, where --steps is absent",
      parse: positive,
      otherwise: "3",
    },
    ...networkOptionsNamed("learning-rate", "optimizer"),
    ...SCHEDULE,
    ...networkOptionsNamed("batch-size", "accumulate", "max-tokens"),
    TUNE,
    SEED,
    { flags: "--out <folder>", text: `folder for the adapter: ${NEW_FOLDER}`, otherwise: "adapter" },
    ...engineFlags(),
    JSON_OUTPUT,
  ],
  example: "weft train --data alice.jsonl --adapter lora:r8:q_proj,v_proj --epochs 3 --out alice-lora",
  run,
};

type TrainCommandOptions = Omit<
  NetworkOptions,
  "rounds" | "localSteps" | "lambda" | "aggregation" | "reference" | "head" | "proximal"
> &
  DataFlags &
  HeldOutFlags &
  EngineOptions & {
    readonly model?: string;
    readonly tune?: boolean;
    readonly from?: string;
    readonly steps?: number;
    readonly epochs?: number;
    readonly out?: string;
    readonly json?: boolean;
  };

/** Passes over the data where nothing is said: enough to see an effect on a small file. */
const EPOCHS = 3;
/** Steps between two lines about the loss. */
const STEPS_PER_LINE = 10;

async function run(options: TrainCommandOptions, terminal: Terminal): Promise<number> {
  const {
    keptTrainedData,
    withTrainedData,
    writeAdapterDirectory,
    loadAdapter,
    openModel,
    prepareOutputFolder,
    writeFolder,
  } = await modelDoor();
  const { factsOfModel, formOfExamples, loadExamples, stepsOfEpochs, trainLocally } = await trainingDoor();
  if (options.from !== undefined && options.adapter !== undefined) {
    throw new NodeError(
      "CONFIG_INVALID",
      "give --adapter for a new adapter or --from for one to train further, not both",
    );
  }
  if (options.data === undefined && (options.validation ?? options.test) !== undefined) {
    throw new NodeError("CONFIG_INVALID", "--validation and --test hold out examples of --data; give that too");
  }
  const folder = resolve(options.out ?? "adapter");
  await prepareOutputFolder(folder);
  const directory = modelDirectory(options.model);
  const opened = openModel(directory);
  for (const note of opened.model.notes) terminal.err(`${note}\n`);
  const started = options.from === undefined ? undefined : await loadAdapter(resolve(options.from), opened);
  for (const note of started?.notes ?? []) terminal.err(`${note}\n`);
  const from = started?.adapter;
  const asked = networkSettings(options, PLAIN_DEFAULTS);
  const seed = from?.seed ?? asked.seed;
  const maxTokens = Math.min(asked.training.maxTokens, opened.model.shape.contextTokens);
  const before = options.from === undefined ? undefined : await keptTrainedData(resolve(options.from));
  const loaded = await loadExamples({
    ...dataOptions(options),
    ...(before && { trained: before }),
    modelDirectory: directory,
    maxTokens,
    batchSize: asked.training.batchSize,
    seed: asked.seed,
  });
  const { sets, cut, notes = [], trainedData } = loaded;
  for (const note of notes) terminal.err(`data: ${note}\n`);
  if (cut.records > 0) terminal.err(`${cut.records} records are longer than ${maxTokens} tokens and were cut\n`);
  const steps = options.steps ?? stepsOfEpochs(options.epochs ?? EPOCHS, sets, asked.training);
  const { adapter, training: chosen } = await chosenSettings(
    { ...options, ...(from && { adapter: from.settings }) },
    {
      base: PLAIN_DEFAULTS,
      facts: factsOfModel(opened, formOfExamples(sets.train)),
      steps,
      tuning: { modelDirectory: directory, load: async () => loaded },
      terminal,
    },
  );
  const training = { ...chosen, maxTokens };
  terminal.err(`${formatAdapter(adapter)}: ${steps} steps on ${sets.train.length} examples\n`);
  const result = await trainLocally({
    opened,
    modelDirectory: directory,
    adapter,
    from,
    training,
    data: sets,
    seed,
    steps,
    engine: engineOf(options, { threads: availableParallelism() }),
    signal: terminal.signal,
    onStep: (step, loss) => {
      if (step % STEPS_PER_LINE === 0 || step === steps)
        terminal.err(`step ${step} of ${steps}: loss ${formatLoss(loss)}\n`);
    },
  });
  await writeFolder(folder, withTrainedData(writeAdapterDirectory(result.adapter), trainedData ?? before));
  terminal.err(`adapter written to ${folder}\n`);
  terminal.out(options.json ? jsonText(document(result, folder)) : `${resultLines(result).join("\n")}\n`);
  return result.after ? EXIT_OK : EXIT_INTERRUPTED;
}

/** What `--json` prints. */
function document({ adapter, before, after, ...counts }: LocalTrainingResult, folder: string) {
  const parameters = adapter.values.length;
  return { adapter: adapter.settings, parameters, before, after: after ?? null, ...counts, out: folder };
}

function resultLines({ before, after, stepsSkipped }: LocalTrainingResult): string[] {
  return [
    ...scoreLines({ "before training": before, ...(after && { "after training": after }) }),
    ...(stepsSkipped > 0 ? [`${stepsSkipped} steps were not finite and changed nothing.`] : []),
    ...(after && Number(formatLoss(after.loss)) > Number(formatLoss(before.loss))
      ? ["The adapter is WORSE on held-out data than before."]
      : []),
  ];
}
