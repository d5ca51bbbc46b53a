/** `weft eval`: a model with or without an adapter on held-out data. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { type ExampleSets, modelDoor, trainingDoor } from "../../../node/index.ts";
import { scoreLines } from "../../../testnet/words/score-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { DATA, type DataFlags, dataOptions, HELD_OUT, type HeldOutFlags, READING } from "../../data-options.ts";
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
    ...networkOptionsNamed("batch-size", "max-tokens"),
    {
      ...SEED,
      text: "seed of the embedded tasks",
      otherwise: `the adapter's, else ${NETWORK_DEFAULTS.seed}`,
    },
    ...engineFlags({ only: USE_OPTIONS }),
    JSON_OUTPUT,
  ],
  example: "weft eval --data alice.jsonl --adapter alice-lora",
  run,
};

type EvalCommandOptions = Pick<NetworkOptions, "batchSize" | "maxTokens" | "seed"> &
  DataFlags &
  HeldOutFlags &
  UseOptions & {
    readonly model?: string;
    readonly adapter?: string;
    readonly set?: keyof ExampleSets;
    readonly json?: boolean;
  };

async function run(options: EvalCommandOptions, terminal: Terminal): Promise<number> {
  const { keptTrainedData, loadAdapter, openModel } = await modelDoor();
  const { loadExamples, evaluateLocally } = await trainingDoor();
  const directory = modelDirectory(options.model);
  const opened = openModel(directory, options);
  for (const note of opened.model.notes) terminal.err(`${note}\n`);
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
    ...(trained && { trained }),
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
