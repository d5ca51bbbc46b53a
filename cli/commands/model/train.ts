/** `weft model train`: weights of an ONNX file, or LoRA merged into them, trained on rows of tensors. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { counted, NodeError, type OnnxLoss, trainingDoor, workDoor } from "../../../node/index.ts";
import { formatLoss } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { engineFlags, RUNTIME_OPTIONS, type RuntimeOptions } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { type NetworkOptions, networkSettings, PLAIN_DEFAULTS } from "../../network-options.ts";
import { choice, integer, positive, share } from "../../option-value.ts";
import { JSON_OUTPUT, networkOptionsNamed, SCHEDULE, SEED } from "../../shared-options.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft model train`, and what it runs. */
export const trainModelCommand: CommandRow = {
  name: ["model", "train"],
  text: "Train weights of any ONNX file on rows of tensors, or a LoRA beside them, which is merged in at the end.",
  argument: { name: "file", text: "an ONNX model; open dimensions take the sizes of the rows" },
  options: [
    {
      flags: "--data <file>",
      text: 'rows of JSON: for every input of the model, and for "labels", a number or nested lists',
    },
    {
      flags: "--weights <pattern>",
      text: "names of the weights to train, with * for any text, such as *.bias; may be repeated",
      repeatable: true,
    },
    {
      flags: "--lora <pattern>",
      text: "names of the weights of linear layers that get a LoRA beside them; may be repeated",
      repeatable: true,
    },
    { flags: "--rank <count>", text: "rank of the LoRA", parse: integer(1, 65_536), otherwise: "8" },
    {
      flags: "--alpha <number>",
      text: "scale of the LoRA: its product is multiplied by alpha / rank",
      parse: positive,
      otherwise: "twice the rank",
    },
    {
      flags: "--loss <kind>",
      text: "cross-entropy (labels below 0 do not count), mean-squared-error, or output (the model computes its own loss)",
      parse: choice(["cross-entropy", "mean-squared-error", "output"]),
      otherwise: "cross-entropy",
    },
    { flags: "--output <name>", text: "output of the model from which the loss is computed", otherwise: "logits" },
    { flags: "--steps <count>", text: "optimiser steps", parse: integer(1, 100_000_000) },
    {
      flags: "--epochs <count>",
      text: "passes over the rows, where --steps is absent",
      parse: positive,
      otherwise: "3",
    },
    {
      flags: "--held-out <share>",
      text: "share of the rows, in whole batches, that are evaluated before and after training and not trained on",
      parse: share,
      otherwise: "none",
    },
    ...networkOptionsNamed("learning-rate").map((row) => ({
      ...row,
      otherwise: String(PLAIN_DEFAULTS.training.learningRate),
    })),
    ...networkOptionsNamed("optimizer"),
    ...SCHEDULE.map((row) => ({ ...row, otherwise: "constant" })),
    ...networkOptionsNamed("batch-size", "accumulate"),
    { ...SEED, text: "seed of the LoRA's start, the rows held out and the batch order" },
    { flags: "--out <file>", text: "file for the model", otherwise: "the model's name with .trained.onnx" },
    ...engineFlags({ only: RUNTIME_OPTIONS }),
    JSON_OUTPUT,
  ],
  takesLong: true,
  endsInOrder: true,
  example: "weft model train model.onnx --data rows.jsonl --weights '*.bias' --lora '*attention*'",
  json: {
    out: "the file",
    weights: "names of the weights that were trained",
    parameters: "number of their values",
    steps: "steps taken",
    firstLoss: "loss of the first step",
    lastLoss: "loss of the last step",
    "heldOut?": "loss before and after on rows held out",
  },
  run,
};

type ModelTrainOptions = Pick<
  NetworkOptions,
  "learningRate" | "optimizer" | "schedule" | "batchSize" | "accumulate" | "seed"
> &
  RuntimeOptions & {
    readonly data?: string;
    readonly weights?: readonly string[];
    readonly lora?: readonly string[];
    readonly rank?: number;
    readonly alpha?: number;
    readonly loss?: OnnxLoss["kind"];
    readonly output?: string;
    readonly steps?: number;
    readonly epochs?: number;
    readonly heldOut?: number;
    readonly out?: string;
    readonly json?: boolean;
  };

const DEFAULTS = { epochs: 3, rank: 8, output: "logits" } as const;

async function run(options: ModelTrainOptions, terminal: Terminal, argument: string | undefined): Promise<number> {
  const { holdOut, trainOnnx, createOnnxRuntime, readOnnxModelFile, readTensorFile, writeOnnxModelFile } =
    await trainingDoor();
  const { tellWork } = await workDoor();
  if (argument === undefined || options.data === undefined) {
    throw new NodeError("CONFIG_INVALID", "give the ONNX file, and --data with a file of rows");
  }
  const path = resolve(argument);
  const out = resolve(options.out ?? path.replace(/(\.onnx)?$/, ".trained.onnx"));
  if (out === path) throw new NodeError("CONFIG_INVALID", "--out names the model itself; give another file");
  const file = await readOnnxModelFile(path);
  const all = await readTensorFile(resolve(options.data));
  const { training, seed } = networkSettings(options, PLAIN_DEFAULTS);
  const { heldOut: share = 0 } = options;
  // Where rows are held out, a batch of them and a batch to train on need room.
  const batchSize =
    options.batchSize ?? Math.max(1, Math.min(training.batchSize, Math.floor(all.length / (share > 0 ? 2 : 1))));
  const { rows, heldOut } = share > 0 ? holdOut(all, { share, batchSize, seed }) : { rows: all, heldOut: undefined };
  const perStep = batchSize * (training.accumulate ?? 1);
  const steps = options.steps ?? Math.max(1, Math.ceil(((options.epochs ?? DEFAULTS.epochs) * rows.length) / perStep));
  const rank = options.rank ?? DEFAULTS.rank;
  const runtime = createOnnxRuntime(options.device === undefined ? {} : { device: options.device });
  const result = await trainOnnx(runtime, file, {
    weights: options.weights ?? [],
    lora: options.lora && { patterns: options.lora, rank, alpha: options.alpha ?? 2 * rank },
    loss: { kind: options.loss ?? "cross-entropy", output: options.output ?? DEFAULTS.output },
    training: { ...training, batchSize },
    rows,
    ...(heldOut && { heldOut }),
    steps,
    seed,
    threads: options.threads ?? availableParallelism(),
    signal: terminal.signal,
    onStep: (step, loss) => {
      tellWork({ what: "training", done: step, total: steps, unit: "steps", note: `loss ${formatLoss(loss)}` });
      if (step === steps) terminal.err(`step ${step} of ${steps}: loss ${formatLoss(loss)}\n`);
    },
  });
  await writeOnnxModelFile(out, result.bytes, { original: path, locations: result.locations });
  const { weights, parameters, losses, heldOut: evaluated } = result;
  const [firstLoss, lastLoss] = [losses[0], losses.at(-1)];
  const summary = { out, weights, parameters, steps: losses.length, firstLoss, lastLoss, heldOut: evaluated };
  if (evaluated) {
    const change = `${formatLoss(evaluated.before)} before, ${formatLoss(evaluated.after)} after`;
    terminal.err(`loss on ${counted(heldOut?.length ?? 0, "row")} held out: ${change}\n`);
  }
  terminal.err(
    `${counted(weights.length, "weight")} of ${argument} trained (${counted(parameters, "value")}); written to ${out}\n`,
  );
  terminal.out(options.json ? jsonText(summary) : `${weights.join("\n")}\n`);
  return terminal.signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}
