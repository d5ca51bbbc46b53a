/** `weft generate`: text from a prompt, by a model with or without an adapter. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { NodeError } from "../../../node/errors.ts";
import { generate } from "../../../node/generation/generate.ts";
import { GREEDY, type SamplingSettings } from "../../../node/generation/sampler.ts";
import { loadAdapter, openModel, usedAdapter } from "../../../node/local/stored-adapter.ts";
import { type GenerationSettings, generationSettings } from "../../../node/model/generation-settings.ts";
import { type Tokenizer, tokenizerOfFiles } from "../../../node/model/tokenizer.ts";
import { createOnnxRuntime } from "../../../node/system/compute/onnxruntime.ts";
import type { RuntimeOptions } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "../../terminal.ts";

export type GenerateCommandOptions = RuntimeOptions & {
  readonly prompt?: string;
  readonly model?: string;
  readonly adapter?: string;
  readonly positions?: "all" | { readonly first: number; readonly last: number };
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly json?: boolean;
};

export async function run(options: GenerateCommandOptions, terminal: Terminal): Promise<number> {
  if (options.prompt === undefined) throw new NodeError("CONFIG_INVALID", "give --prompt TEXT to go on from");
  const opened = openModel(modelDirectory(options.model));
  const { model, files } = opened;
  for (const note of model.notes) terminal.err(`${note}\n`);
  const tokenizer = tokenizerOfFiles(files);
  const settings = generationSettings(files);
  const { positions } = options;
  const loaded =
    options.adapter === undefined ? undefined : await loadAdapter(resolve(options.adapter), opened, { positions });
  for (const note of loaded?.notes ?? []) terminal.err(`${note}\n`);
  const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
  const promptIds = [...begin, ...tokenizer.encode(options.prompt)];
  const print = printer(tokenizer, promptIds, options.json ? () => undefined : terminal.out);
  const result = await generate(
    {
      runtime: createOnnxRuntime(options.device === undefined ? {} : { device: options.device }),
      model,
      adapter: loaded && usedAdapter(loaded.adapter, model),
    },
    {
      promptIds,
      tokensMax: options.maxTokens ?? 128,
      sampling: samplingOf(options, settings, terminal),
      seed: options.seed ?? 0,
      endIds: new Set([...(tokenizer.endId === undefined ? [] : [tokenizer.endId]), ...settings.endIds]),
      threads: options.threads ?? availableParallelism(),
      signal: terminal.signal,
      onToken: print.token,
    },
  );
  const response = print.end();
  if (options.json) {
    const { ids, stopped } = result;
    terminal.out(jsonText({ prompt: options.prompt, response, stopped, promptIds, ids }));
  } else {
    terminal.out("\n");
  }
  if (result.stopped === "context")
    terminal.err(`the model's context of ${model.shape.contextTokens} tokens is full\n`);
  return result.stopped === "signal" ? EXIT_INTERRUPTED : EXIT_OK;
}

/** What is asked for; where nothing is, what the model's makers recommend, which is said. */
function samplingOf(
  { temperature, topP }: GenerateCommandOptions,
  { sampling, ignored }: GenerationSettings,
  terminal: Terminal,
): SamplingSettings {
  if (temperature !== undefined || topP !== undefined || !sampling) {
    return { ...GREEDY, ...(temperature !== undefined && { temperature }), ...(topP !== undefined && { topP }) };
  }
  const words = [`temperature ${sampling.temperature}`, `top-p ${sampling.topP}`];
  if (sampling.topK !== undefined) words.push(`top-k ${sampling.topK}`);
  terminal.err(`drawing as generation_config.json says: ${words.join(", ")}; --temperature 0 takes the likeliest\n`);
  if (ignored.length > 0) terminal.err(`weft does not do ${ignored.join(", ")}, which it says too\n`);
  return sampling;
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
