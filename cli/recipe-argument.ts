/** The choice of adapter, rate and schedule by model and data, and the search for a better one, for all commands that train. */
import { availableParallelism } from "node:os";
import { counted, NodeError, type RecipeFacts, recipeAdapter, trainingDoor } from "../node/index.ts";
import { formatLoss } from "../testnet/words/text-table.ts";
import { formatAdapter } from "./adapter-argument.ts";
import type { OptionRow } from "./command-row.ts";
import { type NetworkOptions, type NetworkSettings, recipeSettings } from "./network-options.ts";
import { SCHEDULE_WORD } from "./setting-words.ts";
import type { Terminal } from "./terminal.ts";

/** The flag that asks for a search. */
export const TUNE: OptionRow = {
  flags: "--tune",
  text: "try adapters and learning rates for 20 steps each, for a classifier then rates of its head, and take what has the least loss on validation data; --adapter, --learning-rate and --head-learning-rate stay as they are given",
  otherwise: "they are chosen by model and data",
};

/** What a search works on; `loadExamples` reads the data. */
export interface TuneMaterial {
  readonly modelDirectory: string;
  readonly load: (settings: NetworkSettings) => Promise<{ readonly sets: ProbeData }>;
}
type Probe = Awaited<ReturnType<typeof trainingDoor>>["probe"];
type ProbeData = Parameters<Probe>[0]["data"];

/** The settings of a command, told to the terminal where anything was chosen.  Throws: as `probe`. */
export async function chosenSettings(
  options: NetworkOptions & { readonly tune?: boolean },
  {
    base,
    facts,
    steps,
    tuning,
    terminal,
  }: {
    readonly base: NetworkSettings;
    readonly facts: RecipeFacts;
    readonly steps?: number;
    readonly tuning: TuneMaterial;
    readonly terminal: Terminal;
  },
): Promise<NetworkSettings> {
  const found = options.tune ? await tuned(options, { base, facts, tuning, terminal }) : {};
  const settings = recipeSettings({ ...options, ...found }, base, facts, steps);
  const line = chosenLine(options, settings, facts);
  if (line !== undefined) terminal.err(`${line}\n`);
  return settings;
}

/** Of the adapter, the rate and the schedule: what no flag says, and why it is so. */
export function chosenLine(
  options: NetworkOptions & { readonly tune?: boolean },
  { adapter, training }: NetworkSettings,
  facts: RecipeFacts,
): string | undefined {
  const parts = [
    ...(options.adapter === undefined ? [`adapter ${formatAdapter(adapter)}`] : []),
    ...(options.learningRate === undefined ? [`learning rate ${training.learningRate}`] : []),
    ...(options.headLearningRate === undefined && training.headLearningRate !== undefined
      ? [`learning rate of the head ${training.headLearningRate}`]
      : []),
    ...(options.schedule === undefined && training.schedule
      ? [`schedule ${SCHEDULE_WORD.format(training.schedule)}`]
      : []),
  ];
  if (parts.length === 0) return undefined;
  const why = options.tune
    ? "by the probe"
    : options.adapter === undefined
      ? `because ${recipeAdapter(facts).because}`
      : `by the kind of adapter and the ${counted(facts.layers, "layer")} of the model`;
  return `chosen ${why}: ${parts.join(", ")}`;
}

async function tuned(
  options: NetworkOptions,
  {
    base,
    facts,
    tuning,
    terminal,
  }: {
    readonly base: NetworkSettings;
    readonly facts: RecipeFacts;
    readonly tuning: TuneMaterial;
    readonly terminal: Terminal;
  },
): Promise<Pick<NetworkOptions, "adapter" | "learningRate" | "headLearningRate">> {
  const { probe, probeCandidates, headCandidates, PROBE_STEPS } = await trainingDoor();
  if ((options.optimizer ?? base.training).optimizer !== "adamw") {
    throw new NodeError("CONFIG_INVALID", "--tune tries learning rates of adamw; leave out --optimizer or --tune");
  }
  const settings = recipeSettings(options, base, facts);
  const { sets } = await tuning.load(settings);
  const tried = (candidates: Parameters<Probe>[0]["candidates"]): ReturnType<Probe> =>
    probe({
      modelDirectory: tuning.modelDirectory,
      candidates,
      training: settings.training,
      data: sets,
      seed: settings.seed,
      engine: { threads: availableParallelism() },
      signal: terminal.signal,
      onResult: ({ adapter, learningRate, headLearningRate, loss }) => {
        const head = headLearningRate === undefined ? "" : `, the head at ${headLearningRate}`;
        const word = `${formatAdapter(adapter)} at ${learningRate}${head}`;
        terminal.err(`probe: ${word}: validation loss ${formatLoss(loss)} after ${PROBE_STEPS} steps\n`);
      },
    });
  const best = (await tried(probeCandidates(facts, options)))[0];
  if (best === undefined || !Number.isFinite(best.loss)) {
    throw new NodeError(
      "TRAINING_DIVERGED",
      "no adapter and rate of the probe had a finite loss; give --learning-rate",
    );
  }
  const withHead = (await tried(headCandidates(facts, best, options)))[0];
  const { adapter, learningRate, headLearningRate } = withHead && withHead.loss < best.loss ? withHead : best;
  return { adapter, learningRate, ...(headLearningRate !== undefined && { headLearningRate }) };
}
