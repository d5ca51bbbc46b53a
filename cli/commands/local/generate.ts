/** `weft generate`: text from a prompt, by a model with or without an adapter. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import {
  type GenerationSettings,
  modelDoor,
  NodeError,
  type SamplingSettings,
  type Tokenizer,
  workDoor,
} from "../../../node/index.ts";
import { baseLine } from "../../base-line.ts";
import type { CommandRow } from "../../command-row.ts";
import { CHAT_TEMPLATE, templateArgument } from "../../data-options.ts";
import { engineFlags, USE_OPTIONS, type UseOptions } from "../../engine-flags.ts";
import { modelDirectory } from "../../model-directory.ts";
import { integer, notNegative, share } from "../../option-value.ts";
import { ADAPTER, JSON_LINES, JSON_OUTPUT, MODEL, POSITIONS, SEED } from "../../shared-options.ts";
import { type OutputFlags, Telling } from "../../telling.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft generate`, and what it runs. */
export const generateCommand: CommandRow = {
  name: ["generate"],
  text: "Continue a prompt, token by token. Only the new text is printed.",
  options: [
    { flags: "--prompt <text>", text: "text to continue, or the user's turn where a chat template is used" },
    { flags: "--system <text>", text: "the system's turn, which the chat template writes", otherwise: "none" },
    { ...CHAT_TEMPLATE, otherwise: "the adapter's; without an adapter the prompt as it stands" },
    MODEL,
    { ...ADAPTER, otherwise: "the base model alone" },
    POSITIONS,
    {
      flags: "--max-tokens <count>",
      text: "most tokens to add",
      parse: integer(1, 1_048_576),
      otherwise: "128",
    },
    {
      flags: "--temperature <number>",
      text: "draw tokens at random with this temperature, such as 0.8; 0 takes the likeliest token",
      parse: notNegative,
      otherwise: "as the model's generation_config.json says, else 0",
    },
    {
      flags: "--top-p <share>",
      text: "draw only from the likeliest tokens that together have this probability",
      parse: share,
      otherwise: "as of --temperature, else 1, all of them",
    },
    { ...SEED, text: "seed of the random draws" },
    ...engineFlags({ only: USE_OPTIONS }),
    JSON_OUTPUT,
    JSON_LINES,
  ],
  takesLong: true,
  endsInOrder: true,
  example: "weft generate --model models/tinystories-656k --prompt Once --max-tokens 60",
  json: {
    prompt: "the prompt as given",
    response: "the new text",
    stopped: "why it ended: end, tokens, context or signal",
    promptIds: "token ids of the prompt as the model saw it",
    ids: "token ids of the new text",
  },
  jsonl: { text: "the next piece of the text" },
  run,
};

type GenerateCommandOptions = UseOptions & {
  readonly prompt?: string;
  readonly system?: string;
  readonly chatTemplate?: string;
  readonly model?: string;
  readonly adapter?: string;
  readonly positions?: "all" | { readonly first: number; readonly last: number };
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
} & OutputFlags;

async function run(options: GenerateCommandOptions, terminal: Terminal): Promise<number> {
  const {
    askedPrompt,
    baseIdentity,
    keptTrainedData,
    generate,
    generationSettings,
    loadAdapter,
    openModel,
    usedAdapter,
    tokenizerOfFiles,
    createOnnxRuntime,
  } = await modelDoor();
  const { WorkCount } = await workDoor();
  const telling = new Telling(options, terminal);
  const { prompt } = options;
  if (prompt === undefined) throw new NodeError("CONFIG_INVALID", "give --prompt TEXT, the text to continue");
  refusePositionsAlone(options);
  const opened = openModel(modelDirectory(options.model), options);
  const { model, files } = opened;
  for (const note of model.notes) terminal.err(`${note}\n`);
  const base = options.base ?? "f32";
  if (base !== "f32") terminal.err(`${baseLine(baseIdentity(model, files, base))}\n`);
  const tokenizer = tokenizerOfFiles(files);
  const settings = generationSettings(files);
  const { positions } = options;
  const loaded =
    options.adapter === undefined ? undefined : await loadAdapter(resolve(options.adapter), opened, { positions });
  for (const note of loaded?.notes ?? []) terminal.err(`${note}\n`);
  // A prompt is put to an adapter as those were that it was trained on.
  const trained = options.adapter === undefined ? undefined : await keptTrainedData(resolve(options.adapter));
  const { system, chatTemplate } = options;
  const choice = chatTemplate && templateArgument(chatTemplate);
  const asked = askedPrompt({ prompt, system, chatTemplate: choice, kept: trained }, files, tokenizer);
  const promptIds = asked.ids;
  tellEmptyPrompt(prompt, promptIds, terminal);
  const print = printer(
    tokenizer,
    promptIds,
    telling.isForPrograms ? (text) => telling.event("text", { text }) : terminal.out,
  );
  const tokensMax = options.maxTokens ?? 128;
  const count = new WorkCount({ what: "writing", total: tokensMax, unit: "tokens", fewest: 0 });
  const result = await generate(
    {
      runtime: createOnnxRuntime(options.device === undefined ? {} : { device: options.device }),
      model,
      adapter: loaded && usedAdapter(loaded.adapter, model),
    },
    {
      promptIds,
      tokensMax,
      sampling: samplingOf(options, settings, terminal),
      seed: options.seed ?? 0,
      endIds: new Set([
        ...(tokenizer.endId === undefined ? [] : [tokenizer.endId]),
        ...settings.endIds,
        ...asked.endIds,
      ]),
      threads: options.threads ?? availableParallelism(),
      signal: terminal.signal,
      onToken: (id) => {
        // Text that stands on the same terminal shows by itself how far it is.
        if (telling.isForPrograms || terminal.outIsTerminal !== true) count.add(1);
        print.token(id);
      },
    },
  );
  count.end();
  const response = print.end();
  const { ids, stopped } = result;
  telling.result({ prompt: options.prompt, response, stopped, promptIds, ids }, () => "\n");
  if (response.trim() === "") terminal.err("the model ended its answer at once: it is empty\n");
  if (result.stopped === "context")
    terminal.err(`the model's context of ${model.shape.contextTokens} tokens is full\n`);
  return result.stopped === "signal" ? EXIT_INTERRUPTED : EXIT_OK;
}

function refusePositionsAlone({ positions, adapter }: GenerateCommandOptions): void {
  if (positions === undefined || adapter !== undefined) return;
  throw new NodeError("CONFIG_INVALID", "--positions says where an adapter acts; give --adapter too, or leave it out");
}

/** Throws: CONFIG_INVALID where there is nothing to go on from. */
function tellEmptyPrompt(prompt: string, ids: readonly number[], terminal: Terminal): void {
  if (ids.length === 0) {
    const text = "--prompt is empty, and this model has no token to begin with; give it a text";
    throw new NodeError("CONFIG_INVALID", text);
  }
  if (prompt !== "") return;
  terminal.err("warning: --prompt is empty; the model goes on from its begin token, or from an empty turn\n");
}

/**
 * What is asked for; what the flags leave open is what the model's makers recommend, which is said.
 * Throws: CONFIG_INVALID for a share to draw from where nothing is drawn.
 */
function samplingOf(
  { temperature: asked, topP, seed }: GenerateCommandOptions,
  { sampling, ignored }: GenerationSettings,
  terminal: Terminal,
): SamplingSettings {
  const temperature = asked ?? sampling?.temperature ?? 0;
  if (temperature === 0 && topP !== undefined) {
    const text =
      "--top-p draws tokens, and at temperature 0 none is drawn; give --temperature too, or leave --top-p out";
    throw new NodeError("CONFIG_INVALID", text);
  }
  if (temperature === 0 && seed !== undefined)
    terminal.err("nothing is drawn at temperature 0: --seed changes nothing\n");
  if (temperature === 0 || !sampling) return { temperature, topP: topP ?? 1 };
  const settings = { ...sampling, temperature, topP: topP ?? sampling.topP };
  const words = [`temperature ${temperature}`, `top-p ${settings.topP}`];
  if (settings.topK !== undefined) words.push(`top-k ${settings.topK}`);
  const but = asked === undefined && topP === undefined ? "" : ", and the flags";
  terminal.err(
    `drawing as generation_config.json says${but}: ${words.join(", ")}; --temperature 0 takes the likeliest\n`,
  );
  if (ignored.length > 0) terminal.err(`weft does not do ${ignored.join(", ")}, which it says too\n`);
  return settings;
}

/**
 * Prints what each token adds to the text. A token may be a part of a character or decide about the space before it:
 * the text is that of all tokens together, and its end is held back while it is not sure.
 */
function printer(tokenizer: Tokenizer, promptIds: readonly number[], out: (text: string) => void) {
  const ids = [...promptIds];
  const prompt = tokenizer.decode(promptIds);
  let shown = prompt.length;
  const flush = (isEnd: boolean): string => {
    const text = tokenizer.decode(ids);
    const sure = isEnd ? text : text.replace(/\uFFFD+$/, "");
    if (sure.length > shown) {
      out(sure.slice(shown));
      shown = sure.length;
    }
    return text.slice(prompt.length);
  };
  return {
    token: (id: number): void => {
      ids.push(id);
      flush(false);
    },
    /** The whole response. */
    end: (): string => flush(true),
  };
}
