/** The commands about models and adapters on one machine: train, eval, generate, adapter, model. */
import { ADAPTER_FORMATS } from "../node/local/stored-adapter.ts";
import { parsePromptPositions } from "./adapter-argument.ts";
import { type CommandRow, longName, type OptionRow } from "./command-row.ts";
import { engineFlags, RUNTIME_OPTIONS } from "./engine-flags.ts";
import { NETWORK_DEFAULTS, networkOptions } from "./network-options.ts";
import { choice, integer, notNegative, positive, share } from "./option-value.ts";

/** Flags that other commands have too. */
export interface SharedOptions {
  readonly model: OptionRow;
  readonly data: OptionRow;
  readonly dataDir: OptionRow;
  readonly json: OptionRow;
}

const named = (...names: readonly string[]): readonly OptionRow[] =>
  networkOptions(NETWORK_DEFAULTS).filter((option) => names.includes(longName(option)));
const ADAPTER: OptionRow = { flags: "--adapter <folder>", text: "an adapter: of weft, or a PEFT directory" };
const POSITIONS: OptionRow = {
  flags: "--positions <word>",
  text: "where the interventions of a pyreft directory act, which it does not say: f7+l7, f4, l4 or all",
  parse: parsePromptPositions,
};
const SEED: OptionRow = {
  flags: "--seed <number>",
  text: "seed of the adapter's start, the held-out examples and the batch order",
  parse: integer(0),
  otherwise: String(NETWORK_DEFAULTS.seed),
};
const NEW_FOLDER = "a new or empty folder";

export function modelCommands(shared: SharedOptions): readonly CommandRow[] {
  const { model, data, dataDir, json } = shared;
  return [
    {
      name: ["train"],
      text: "Train one adapter on this machine, without a network, and say how it does on held-out data.",
      options: [
        model,
        data,
        ...named("adapter"),
        { flags: "--from <folder>", text: "an adapter to go on from, instead of --adapter" },
        { flags: "--steps <count>", text: "optimiser steps", parse: integer(1, 100_000_000) },
        {
          flags: "--epochs <count>",
          text: "passes over the data, where --steps is absent",
          parse: positive,
          otherwise: "3",
        },
        ...named("learning-rate", "optimizer"),
        ...named("schedule").map((row) => ({ ...row, text: row.text.replace("over all rounds", "over all steps") })),
        ...named("batch-size", "accumulate", "max-tokens"),
        SEED,
        { flags: "--out <folder>", text: `where to write the adapter: ${NEW_FOLDER}`, otherwise: "adapter" },
        ...engineFlags(),
        json,
      ],
      example: "weft train --data alice.jsonl --adapter lora:r8:q_proj,v_proj --epochs 3 --out alice-lora",
      load: () => import("./commands/local/train.ts"),
    },
    {
      name: ["eval"],
      text: "Say how a model does on held-out data, with an adapter or without.",
      options: [
        model,
        data,
        { ...ADAPTER, otherwise: "the base model alone" },
        {
          flags: "--set <name>",
          text: "which of the examples: test, validation or train",
          parse: choice(["test", "validation", "train"]),
          otherwise: "test",
        },
        ...named("batch-size", "max-tokens"),
        {
          ...SEED,
          text: "seed by which examples are held out",
          otherwise: `the adapter's, else ${NETWORK_DEFAULTS.seed}`,
        },
        ...engineFlags({ only: RUNTIME_OPTIONS }),
        json,
      ],
      example: "weft eval --data alice.jsonl --adapter alice-lora",
      load: () => import("./commands/local/eval.ts"),
    },
    {
      name: ["generate"],
      text: "Go on from a prompt, token by token; only what is new is printed.",
      options: [
        { flags: "--prompt <text>", text: "what to go on from" },
        model,
        { ...ADAPTER, otherwise: "the base model alone" },
        POSITIONS,
        {
          flags: "--max-tokens <count>",
          text: "tokens to add at most",
          parse: integer(1, 1_048_576),
          otherwise: "128",
        },
        {
          flags: "--temperature <number>",
          text: "draw at random by this temperature, such as 0.8; 0 takes the likeliest token",
          parse: notNegative,
          otherwise: "as the model's generation_config.json says, else 0",
        },
        {
          flags: "--top-p <share>",
          text: "draw only from the likeliest tokens that have this probability together",
          parse: share,
          otherwise: "as of --temperature, else 1, all of them",
        },
        { ...SEED, text: "seed of the drawing" },
        ...engineFlags({ only: RUNTIME_OPTIONS }),
        json,
      ],
      example: "weft generate --model models/tinystories-656k --prompt Once --max-tokens 60",
      load: () => import("./commands/local/generate.ts"),
    },
    {
      name: ["adapter", "export"],
      text: "Write an adapter, or that of a peer's newest checkpoint, in the form that another program reads.",
      options: [
        { ...ADAPTER, otherwise: "that of the peer in --data-dir" },
        dataDir,
        { flags: "--network <file>", text: "the peer's network", otherwise: "network.json in the data directory" },
        model,
        {
          flags: "--format <name>",
          text: `form to write: ${ADAPTER_FORMATS.join(", ")}`,
          parse: choice(ADAPTER_FORMATS),
          otherwise: "weft",
        },
        { flags: "--part <side>", text: "of a combination only lora or reft", parse: choice(["lora", "reft"]) },
        {
          flags: "--base-model <name>",
          text: "what PEFT shall load the model by",
          otherwise: "the path of the model directory",
        },
        { flags: "--out <folder>", text: `where to write it: ${NEW_FOLDER}`, otherwise: "adapter-FORMAT" },
        json,
      ],
      example: "weft adapter export --adapter alice-lora --format peft --out alice-peft",
      load: () => import("./commands/adapter/export.ts"),
    },
    {
      name: ["adapter", "import"],
      text: "Read an adapter of PEFT or pyreft and write it as one of weft's own.",
      argument: { name: "folder", text: "a directory of PEFT or pyreft" },
      options: [
        model,
        POSITIONS,
        { flags: "--out <folder>", text: `where to write the adapter: ${NEW_FOLDER}`, otherwise: "adapter" },
        json,
      ],
      example: "weft adapter import alice-peft --out alice",
      load: () => import("./commands/adapter/import.ts"),
    },
    {
      name: ["adapter", "inspect"],
      text: "Show what an adapter's folder holds.",
      argument: { name: "folder", text: "an adapter of weft, PEFT or pyreft" },
      options: [json],
      example: "weft adapter inspect alice-lora",
      load: () => import("./commands/adapter/inspect.ts"),
    },
    {
      name: ["model", "train"],
      text: "Train weights of any ONNX file, or LoRA that is merged into them, on rows of tensors.",
      argument: { name: "file", text: "an ONNX model; open dimensions take the sizes of the rows" },
      options: [
        {
          flags: "--data <file>",
          text: 'rows of JSON: for every input of the model, and for "labels", a number or nested lists',
        },
        {
          flags: "--weights <pattern>",
          text: "weights to train by name, * for any text, such as *.bias; may be given several times",
          repeatable: true,
        },
        {
          flags: "--lora <pattern>",
          text: "linear layers to train LoRA beside, by the name of their weight; may be given several times",
          repeatable: true,
        },
        { flags: "--rank <count>", text: "rank of the LoRA", parse: integer(1, 65_536), otherwise: "8" },
        {
          flags: "--alpha <number>",
          text: "scale of the LoRA, times the rank",
          parse: positive,
          otherwise: "twice the rank",
        },
        {
          flags: "--loss <kind>",
          text: "cross-entropy (labels below 0 do not count), mean-squared-error, or output: the model computes it",
          parse: choice(["cross-entropy", "mean-squared-error", "output"]),
          otherwise: "cross-entropy",
        },
        { flags: "--output <name>", text: "output of the model that the loss is taken on", otherwise: "logits" },
        { flags: "--steps <count>", text: "optimiser steps", parse: integer(1, 100_000_000) },
        {
          flags: "--epochs <count>",
          text: "passes over the rows, where --steps is absent",
          parse: positive,
          otherwise: "3",
        },
        {
          flags: "--held-out <share>",
          text: "part of the rows that is not trained on but evaluated before and after, in whole batches",
          parse: share,
          otherwise: "none",
        },
        ...named("learning-rate", "optimizer"),
        ...named("schedule").map((row) => ({ ...row, text: row.text.replace("over all rounds", "over all steps") })),
        ...named("batch-size", "accumulate"),
        { ...SEED, text: "seed of the LoRA's start, the rows held out and the batch order" },
        { flags: "--out <file>", text: "where to write the model", otherwise: "the model's name with .trained.onnx" },
        ...engineFlags({ only: RUNTIME_OPTIONS }),
        json,
      ],
      example: "weft model train model.onnx --data rows.jsonl --weights '*.bias' --lora '*attention*'",
      load: () => import("./commands/model/train.ts"),
    },
    {
      name: ["model", "merge"],
      text: "Put a LoRA adapter into the weights: a Hugging Face directory in float32, with an ONNX file if asked for.",
      options: [
        ADAPTER,
        model,
        { flags: "--part <side>", text: "of a combination the lora part only", parse: choice(["lora"]) },
        {
          flags: "--format <name>",
          text: "huggingface, or onnx for model.onnx beside it",
          parse: choice(["huggingface", "onnx"]),
          otherwise: "huggingface",
        },
        {
          flags: "--batch <count>",
          text: "texts that model.onnx reads at once",
          parse: integer(1, 4096),
          otherwise: "1",
        },
        {
          flags: "--tokens <count>",
          text: "length of the texts that model.onnx reads",
          parse: integer(1, 1_048_576),
          otherwise: "128, or the model's context",
        },
        { flags: "--out <folder>", text: `where to write the model: ${NEW_FOLDER}`, otherwise: "merged" },
        json,
      ],
      example: "weft model merge --adapter alice-lora --out alice-model",
      load: () => import("./commands/model/merge.ts"),
    },
  ];
}
