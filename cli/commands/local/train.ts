/** `weft train`: one adapter on this machine, without a network. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import {
  type EngineOptions,
  type LocalTrainingResult,
  modelDoor,
  NodeError,
  type TrainingMemory,
  trainingDoor,
} from "../../../node/index.ts";
import { scoreLines } from "../../../testnet/words/score-table.ts";
import { formatBytes, formatLoss } from "../../../testnet/words/text-table.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import type { CommandRow } from "../../command-row.ts";
import { DATA, type DataFlags, dataOptions, HELD_OUT, type HeldOutFlags, READING } from "../../data-options.ts";
import { engineFlags, engineOf } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS, type NetworkOptions, networkSettings } from "../../network-options.ts";
import { integer, positive } from "../../option-value.ts";
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
  const { loadExamples, stepsOfEpochs, trainLocally, trainingMemory } = await trainingDoor();
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
  const settings = networkSettings(options, NETWORK_DEFAULTS);
  const adapter = from?.settings ?? settings.adapter;
  const seed = from?.seed ?? settings.seed;
  const training = {
    ...settings.training,
    maxTokens: Math.min(settings.training.maxTokens, opened.model.shape.contextTokens),
  };
  const before = options.from === undefined ? undefined : await keptTrainedData(resolve(options.from));
  const loaded = await loadExamples({
    ...dataOptions(options),
    ...(before && { trained: before }),
    modelDirectory: directory,
    maxTokens: training.maxTokens,
    batchSize: training.batchSize,
    seed: settings.seed,
  });
  const { sets, cut, notes = [], trainedData } = loaded;
  for (const note of notes) terminal.err(`data: ${note}\n`);
  if (cut.records > 0)
    terminal.err(`${cut.records} records are longer than ${training.maxTokens} tokens and were cut\n`);
  const steps = options.steps ?? stepsOfEpochs(options.epochs ?? EPOCHS, sets, training);
  terminal.err(`${formatAdapter(adapter)}: ${steps} steps on ${sets.train.length} examples\n`);
  const engine = engineOf(options, { threads: availableParallelism() });
  const asked = { modelDirectory: directory, adapter, training, data: sets, engine };
  terminal.err(`${memoryLine(trainingMemory(asked), engine)}\n`);
  const result = await trainLocally({
    ...asked,
    opened,
    from,
    seed,
    steps,
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

/** The form of the base, and what of memory the training takes. */
function memoryLine({ needed, memory }: TrainingMemory, { base = "f32" }: EngineOptions): string {
  const [total, weights, activations] = [needed.total, needed.weights, needed.activations].map(formatBytes);
  return `base in ${base}; about ${total} of memory (weights ${weights}, activations ${activations}), ${formatBytes(memory.available)} are available`;
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
