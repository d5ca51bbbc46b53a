/** `weft train`: one adapter on this machine, without a network. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import {
  counted,
  type EngineOptions,
  type ExampleSets,
  type LocalTrainingResult,
  modelDoor,
  type OpenedModel,
  type SavedAdapter,
  type StoppedTraining,
  type TrainedData,
  trainingDoor,
  type Watching,
  workDoor,
} from "../../../node/index.ts";
import type { TrainingSpec } from "../../../protocol/network-manifest.ts";
import { scoreLines } from "../../../testnet/words/score-table.ts";
import { formatLoss } from "../../../testnet/words/text-table.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import { baseLine, memoryLine } from "../../base-line.ts";
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
import { engineFlags, engineOf } from "../../engine-flags.ts";
import { modelDirectory } from "../../model-directory.ts";
import { type NetworkOptions, type NetworkSettings, networkSettings, PLAIN_DEFAULTS } from "../../network-options.ts";
import { integer, positive } from "../../option-value.ts";
import { chosenSettings, TUNE } from "../../recipe-argument.ts";
import {
  JSON_LINES,
  JSON_OUTPUT,
  MODEL,
  NEW_FOLDER,
  networkOptionsNamed,
  SCHEDULE,
  SEED,
} from "../../shared-options.ts";
import { type OutputFlags, Telling } from "../../telling.ts";
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
    {
      flags: "--from <folder>",
      text: "an adapter to train further where its training stopped, with its settings, instead of --adapter",
    },
    { flags: "--fresh", text: "with --from: optimiser, schedule and batch order begin anew" },
    {
      flags: "--steps <count>",
      text: "optimiser steps",
      parse: integer(1, 100_000_000),
      otherwise: "with --from those that were left, where there are such",
    },
    {
      flags: "--epochs <count>",
      text: "passes over the data, where --steps is absent",
      parse: positive,
      otherwise: "3",
    },
    {
      flags: "--early-stop <patience>",
      text: "stop after so many validations in a row without a smaller loss, and keep the adapter of the best",
      parse: integer(1, 1_000_000),
      otherwise: "all steps are taken, and the last adapter is kept",
    },
    {
      flags: "--eval-steps <count>",
      text: "optimiser steps between two validations; the adapter of the best is kept, with --early-stop or without",
      parse: integer(1, 100_000_000),
      otherwise: "one pass over the data, with --early-stop",
    },
    ...networkOptionsNamed("learning-rate", "optimizer"),
    ...SCHEDULE,
    ...networkOptionsNamed("batch-size", "accumulate", "max-tokens"),
    TUNE,
    SEED,
    { flags: "--out <folder>", text: `folder for the adapter: ${NEW_FOLDER}`, otherwise: "adapter" },
    ...engineFlags(),
    JSON_OUTPUT,
    JSON_LINES,
  ],
  takesLong: true,
  endsInOrder: true,
  example: "weft train --data alice.jsonl --adapter lora:r8:q_proj,v_proj --epochs 3 --out alice-lora",
  json: {
    adapter: "settings of the adapter",
    parameters: "number of its values",
    before: "scores on held-out data before",
    after: "the same afterwards; null where training was stopped",
    best: "step and loss of the best validation, or null",
    steps: "steps taken now",
    stepsSkipped: "steps that were not finite",
    losses: "mean loss of the first and the last tenth",
    seconds: "time of the steps",
    step: "steps in all, with those of earlier trainings",
    out: "folder of the adapter",
    base: "form of the frozen base, and the digest of what was rounded",
    precision: "arithmetic of the training and of all its losses: fp32, int8 or fp16",
  },
  jsonl: {
    plan: "adapter, steps, total and the number of examples",
    evaluation: "scores on held-out data; when says before or after",
    step: "step, total and loss",
    validation: "step, total, loss, and the best until then",
  },
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
    readonly fresh?: boolean;
    readonly steps?: number;
    readonly epochs?: number;
    readonly earlyStop?: number;
    readonly evalSteps?: number;
    readonly out?: string;
  } & OutputFlags;

/** Passes over the data where nothing is said: enough to see an effect on a small file. */
const EPOCHS = 3;
async function run(options: TrainCommandOptions, terminal: Terminal): Promise<number> {
  const { withTrainedData, writeAdapterDirectory, openModel, prepareOutputFolder, writeFolder } = await modelDoor();
  const { tellWork } = await workDoor();
  const { baseIdentity, loadExamples, stoppedTrainingFiles, trainLocally, trainingMemory } = await trainingDoor();
  const telling = new Telling(options, terminal);
  const folder = resolve(options.out ?? "adapter");
  await prepareOutputFolder(folder);
  const directory = modelDirectory(options.model);
  const opened = openModel(directory);
  const note = (line: string): void => terminal.err(`${line}\n`);
  opened.model.notes.forEach(note);
  const { from, stopped, trained: before } = await startOf(options, opened, note);
  const asked = networkSettings(options, stopped ? { ...PLAIN_DEFAULTS, ...stopped } : PLAIN_DEFAULTS);
  const maxTokens = Math.min(asked.training.maxTokens, opened.model.shape.contextTokens);
  const engine = engineOf(options, { threads: availableParallelism(), ...stopped?.order });
  const loaded = await loadExamples({
    ...dataOptions(options),
    ...(before && { trained: before }),
    modelDirectory: directory,
    maxTokens,
    batchSize: asked.training.batchSize,
    seed: asked.seed,
  });
  const { sets, cut, notes = [], trainedData } = loaded;
  for (const line of notes) terminal.err(dataNote(line));
  if (cut.records > 0)
    note(`${counted(cut.records, "record is", "records are")} longer than ${maxTokens} tokens and cut`);
  const material = { opened, modelDirectory: directory, loaded, from };
  const chosen = stopped ? asked : await settingsFor(options, asked, material, terminal);
  const adapter = from?.settings ?? chosen.adapter;
  const training = { ...chosen.training, maxTokens };
  const { steps, total, watching } = await planOf(options, { stopped, sets, training, engine }, note);
  const onFrom = stopped ? `, from step ${stopped.state.step} on` : "";
  note(`${formatAdapter(adapter)}: ${counted(steps, "step")} on ${counted(sets.train.length, "example")}${onFrom}`);
  note(memoryLine(trainingMemory({ modelDirectory: directory, adapter, training, data: sets, engine }), engine));
  const base = baseIdentity(opened.model, opened.files, engine.base ?? "f32");
  if (base.form !== "f32") note(baseLine(base));
  telling.event("plan", { adapter, steps, total, examples: sets.train.length });
  const result = await trainLocally({
    opened,
    modelDirectory: directory,
    adapter,
    from,
    stopped,
    training,
    data: sets,
    seed: from?.seed ?? asked.seed,
    dataSeed: asked.seed,
    steps,
    engine,
    watching,
    signal: terminal.signal,
    onEvaluated: (when, evaluation) => telling.event("evaluation", { when, ...evaluation }),
    onStep: (step, loss) => {
      telling.event("step", { step, total, loss });
      tellWork({ what: "training", done: step, total, unit: "steps", note: `loss ${formatLoss(loss)}` });
      if (step === total) note(`step ${step} of ${total}: loss ${formatLoss(loss)}`);
    },
    onValidated: (step, loss, best) => {
      telling.event("validation", { step, total, loss, best });
      const isBest = best?.step === step ? ", the best so far" : "";
      note(`step ${step} of ${total}: validation loss ${formatLoss(loss)}${isBest}`);
    },
  });
  tellWork({ what: "training", isOver: true });
  const files = withTrainedData(writeAdapterDirectory(result.adapter), trainedData ?? before);
  await writeFolder(folder, new Map([...stoppedTrainingFiles(result.stopped, result.adapter), ...files]));
  for (const line of endingLines(result, steps)) note(line);
  note(`adapter written to ${folder}`);
  telling.result(
    { ...document(result, folder), base, precision: engine.precision ?? "fp32" },
    () => `${resultLines(result).join("\n")}\n`,
  );
  return result.after ? EXIT_OK : EXIT_INTERRUPTED;
}

/** What a training that begins anew goes by: the flags, and what suits the model and its data where they say nothing. */
async function settingsFor(
  options: TrainCommandOptions,
  asked: NetworkSettings,
  material: {
    readonly opened: OpenedModel;
    readonly modelDirectory: string;
    readonly loaded: { readonly sets: ExampleSets };
    readonly from: SavedAdapter | undefined;
  },
  terminal: Terminal,
): Promise<NetworkSettings> {
  const { factsOfModel, formOfExamples, stepsOfEpochs } = await trainingDoor();
  const { opened, modelDirectory: folder, loaded, from } = material;
  return await chosenSettings(
    { ...options, ...(from && { adapter: from.settings }) },
    {
      base: PLAIN_DEFAULTS,
      facts: factsOfModel(opened, formOfExamples(loaded.sets.train)),
      steps: options.steps ?? stepsOfEpochs(options.epochs ?? EPOCHS, loaded.sets, asked.training),
      tuning: { modelDirectory: folder, load: async () => loaded },
      terminal,
    },
  );
}

/** The adapter to go on from, and where its training stopped. */
async function startOf(
  { from: folder, fresh }: TrainCommandOptions,
  opened: OpenedModel,
  note: (line: string) => void,
): Promise<{
  readonly from?: SavedAdapter;
  readonly stopped?: StoppedTraining | undefined;
  readonly trained?: TrainedData | undefined;
}> {
  if (folder === undefined) return {};
  const { keptTrainedData, loadAdapter } = await modelDoor();
  const { stoppedTraining } = await trainingDoor();
  const path = resolve(folder);
  const { adapter: from, notes } = await loadAdapter(path, opened);
  notes.forEach(note);
  const trained = await keptTrainedData(path);
  if (fresh) return { from, trained };
  const stopped = await stoppedTraining(path, from);
  if (!stopped)
    note(`${folder} does not say where its training stopped: optimiser, schedule and batch order begin anew`);
  return { from, stopped, trained };
}

/** How many steps are taken, until which one, and when validation is looked at. */
async function planOf(
  options: TrainCommandOptions,
  now: {
    readonly stopped: StoppedTraining | undefined;
    readonly sets: ExampleSets;
    readonly training: TrainingSpec;
    readonly engine: EngineOptions;
  },
  note: (line: string) => void,
): Promise<{ readonly steps: number; readonly total: number; readonly watching: Watching | undefined }> {
  const { changedSettings, orderOf, plannedTotal, stepsOfEpochs } = await trainingDoor();
  const { stopped, sets, training, engine } = now;
  const { earlyStop: patience = stopped?.watching?.patience, epochs } = options;
  const everySteps = options.evalSteps ?? stopped?.watching?.everySteps;
  const left = stopped ? stopped.plannedSteps - stopped.state.step : 0;
  const steps =
    options.steps ?? (left > 0 && epochs === undefined ? left : stepsOfEpochs(epochs ?? EPOCHS, sets, training));
  const total = plannedTotal(stopped, steps);
  if (stopped) {
    const changed = changedSettings(stopped, { training, order: orderOf(engine) });
    if (changed.length > 0) note(`from here on with another ${changed.join(", ")} than before`);
    const falls = (training.schedule?.kind ?? "constant") !== "constant";
    if (falls && total > stopped.plannedSteps)
      note(`the learning rate was to fall until step ${stopped.plannedSteps}; it falls until step ${total} now`);
  }
  const isWatched = patience !== undefined || everySteps !== undefined;
  const watching = isWatched ? { everySteps: everySteps ?? stepsOfEpochs(1, sets, training), patience } : undefined;
  return { steps, total, watching };
}

/** What there is to say about the end of a watched training. */
function endingLines({ stopped: { best, state }, steps, after }: LocalTrainingResult, asked: number): string[] {
  if (!best) return [];
  const early =
    after && steps < asked
      ? [`stopped at step ${state.step}: ${counted(best.waited, "validation was", "validations were")} no better`]
      : [];
  return [...early, `kept: the adapter of step ${best.step}, validation loss ${formatLoss(best.loss)}`];
}

/** What `--json` prints. */
function document({ adapter, stopped, before, after, ...counts }: LocalTrainingResult, folder: string) {
  const parameters = adapter.values.length;
  const { best = null, state } = stopped;
  const evaluations = { before, after: after ?? null, best };
  return { adapter: adapter.settings, parameters, ...evaluations, ...counts, step: state.step, out: folder };
}

function resultLines({ before, after, stepsSkipped }: LocalTrainingResult): string[] {
  return [
    ...scoreLines({ "before training": before, ...(after && { "after training": after }) }),
    ...(stepsSkipped > 0
      ? [`${counted(stepsSkipped, "step was not finite and", "steps were not finite and")} changed nothing.`]
      : []),
    ...(after && Number(formatLoss(after.loss)) > Number(formatLoss(before.loss))
      ? ["The adapter is WORSE on held-out data than before."]
      : []),
  ];
}
