/** `weft eval`: a model with or without an adapter on held-out data. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { ExampleSets } from "../../../node/interface/trainer.ts";
import { loadExamples } from "../../../node/local/data-source.ts";
import { evaluateLocally } from "../../../node/local/local-training.ts";
import { loadAdapter, openModel } from "../../../node/local/stored-adapter.ts";
import { engineOf, type RuntimeOptions } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS, type NetworkOptions } from "../../network-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { scoreLines } from "./train.ts";

export type EvalCommandOptions = Pick<NetworkOptions, "batchSize" | "maxTokens" | "seed"> &
  RuntimeOptions & {
    readonly model?: string;
    readonly data?: string;
    readonly adapter?: string;
    readonly set?: keyof ExampleSets;
    readonly json?: boolean;
  };

export async function run(options: EvalCommandOptions, terminal: Terminal): Promise<number> {
  const directory = modelDirectory(options.model);
  const opened = openModel(directory);
  for (const note of opened.model.notes) terminal.err(`${note}\n`);
  const loaded = options.adapter === undefined ? undefined : await loadAdapter(resolve(options.adapter), opened);
  for (const note of loaded?.notes ?? []) terminal.err(`${note}\n`);
  const { batchSize, maxTokens, seed = loaded?.adapter.seed ?? NETWORK_DEFAULTS.seed } = options;
  const { training } = NETWORK_DEFAULTS;
  const { sets } = await loadExamples({
    ...(options.data !== undefined && { file: resolve(options.data) }),
    modelDirectory: directory,
    maxTokens: Math.min(maxTokens ?? training.maxTokens, opened.model.shape.contextTokens),
    batchSize: batchSize ?? training.batchSize,
    seed,
  });
  const set = options.set ?? "test";
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
