/** `weft train`: one adapter on this machine, without a network. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { NodeError } from "../../../node/errors.ts";
import { writeAdapterDirectory } from "../../../node/interchange/adapter-directory.ts";
import type { EngineOptions } from "../../../node/interface/engine-options.ts";
import type { Evaluation } from "../../../node/interface/trainer.ts";
import { loadExamples } from "../../../node/local/data-source.ts";
import { type LocalTrainingResult, stepsOfEpochs, trainLocally } from "../../../node/local/local-training.ts";
import { loadAdapter, openModel } from "../../../node/local/stored-adapter.ts";
import { prepareOutputFolder, writeFolder } from "../../../node/system/files/adapter-files.ts";
import { formatLoss, formatShare, textTable } from "../../../testnet/text-table.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import { engineOf } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS, type NetworkOptions, networkSettings } from "../../network-options.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../../terminal.ts";

export type TrainCommandOptions = Omit<
  NetworkOptions,
  "rounds" | "localSteps" | "lambda" | "aggregation" | "reference" | "head" | "proximal"
> &
  EngineOptions & {
    readonly model?: string;
    readonly data?: string;
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

export async function run(options: TrainCommandOptions, terminal: Terminal): Promise<number> {
  if (options.from !== undefined && options.adapter !== undefined) {
    throw new NodeError("CONFIG_INVALID", "give --adapter for a new adapter or --from for one to go on from, not both");
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
  const { sets, cut } = await loadExamples({
    ...(options.data !== undefined && { file: resolve(options.data) }),
    modelDirectory: directory,
    maxTokens: training.maxTokens,
    batchSize: training.batchSize,
    seed: settings.seed,
  });
  if (cut.records > 0)
    terminal.err(`${cut.records} records are longer than ${training.maxTokens} tokens and were cut\n`);
  const steps = options.steps ?? stepsOfEpochs(options.epochs ?? EPOCHS, sets, training);
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
  await writeFolder(folder, writeAdapterDirectory(result.adapter));
  terminal.err(`adapter written to ${folder}\n`);
  terminal.out(options.json ? jsonText(document(result, folder)) : `${resultLines(result).join("\n")}\n`);
  return result.after ? EXIT_OK : EXIT_INTERRUPTED;
}

/** What `--json` prints. */
function document({ adapter, before, after, ...counts }: LocalTrainingResult, folder: string) {
  const parameters = adapter.values.length;
  return { adapter: adapter.settings, parameters, before, after: after ?? null, ...counts, out: folder };
}

/** Scores of the held-out examples, one row each. */
export function scoreLines(scores: Readonly<Record<string, Evaluation>>): string[] {
  const columns = [
    { heading: "held-out data", numeric: false },
    { heading: "loss", numeric: true },
    { heading: "accuracy", numeric: true },
    { heading: "whole answers", numeric: true },
  ];
  const rows = Object.entries(scores).map(([name, { loss, accuracy, exactMatch }]) => [
    name,
    formatLoss(loss),
    formatShare(accuracy),
    formatShare(exactMatch),
  ]);
  return textTable(columns, rows);
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
