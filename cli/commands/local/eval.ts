/** `weft eval`: a model with or without an adapter on held-out data. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { ExampleSets } from "../../../node/interface/trainer.ts";
import { loadExamples } from "../../../node/local/data-source.ts";
import { evaluateLocally } from "../../../node/local/local-training.ts";
import { loadAdapter, openModel } from "../../../node/local/stored-adapter.ts";
import { keptTrainedData } from "../../../node/local/trained-data.ts";
import { type DataFlags, dataOptions, type HeldOutFlags } from "../../data-options.ts";
import { engineOf, type RuntimeOptions } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS, type NetworkOptions } from "../../network-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { scoreLines } from "./train.ts";

export type EvalCommandOptions = Pick<NetworkOptions, "batchSize" | "maxTokens" | "seed"> &
  DataFlags &
  HeldOutFlags &
  RuntimeOptions & {
    readonly model?: string;
    readonly adapter?: string;
    readonly set?: keyof ExampleSets;
    readonly json?: boolean;
  };

export async function run(options: EvalCommandOptions, terminal: Terminal): Promise<number> {
  const directory = modelDirectory(options.model);
  const opened = openModel(directory);
  const loaded = options.adapter === undefined ? undefined : await loadAdapter(resolve(options.adapter), opened);
  for (const note of loaded?.notes ?? []) terminal.err(`${note}\n`);
  const trained = options.adapter === undefined ? undefined : await keptTrainedData(resolve(options.adapter));
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
    ...(trained && { trained: trained.digests }),
  });
  for (const note of notes) terminal.err(`data: ${note}\n`);
  if (cut.records > 0) terminal.err(`${cut.records} records are longer than ${maxTokens} tokens and were cut\n`);
  const score = await evaluateLocally({
    opened,
    adapter: loaded?.adapter,
    data: sets,
    set,
    engine: engineOf(options, { threads: availableParallelism() }),
  });
  const name = loaded ? "with the adapter" : "base model";
  if (options.json) {
    terminal.out(jsonText({ adapter: options.adapter ?? null, set, examples: sets[set].length, ...score }));
  } else {
    terminal.out(`${scoreLines({ [name]: score }).join("\n")}\n`);
  }
  return EXIT_OK;
}
