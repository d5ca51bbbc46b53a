/** A base model as a program has it at hand. */
import { NodeError } from "../errors.ts";
import { generate } from "../generation/generate.ts";
import { GREEDY } from "../generation/sampler.ts";
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import type { Evaluation } from "../interface/trainer.ts";
import { askedPrompt } from "../local/asked-prompt.ts";
import { loadExamples } from "../local/data-source.ts";
import { evaluateLocally } from "../local/local-training.ts";
import { type OpenedModel, openModel, usedAdapter } from "../local/stored-adapter.ts";
import { generationSettings } from "../model/generation-settings.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { absolutePath } from "../system/files/absolute-path.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { sourceOf } from "./data-argument.ts";
import { trainingDefaults } from "./training-defaults.ts";
import type { AdapterFacts, EvaluateOptions, Model, PromptOptions } from "./types.ts";

/** A model whose files are read, behind what programs see of it. */
export class LoadedModel implements Model {
  readonly opened: OpenedModel;
  readonly directory: string;

  constructor(directory: string, opened: OpenedModel) {
    this.directory = directory;
    this.opened = opened;
  }

  get family(): string {
    return this.opened.model.family;
  }

  get shape(): Model["shape"] {
    return this.opened.model.shape;
  }

  get notes(): readonly string[] {
    return this.opened.model.notes;
  }

  generate(prompt: string, options: PromptOptions = {}): Promise<string> {
    return generateText(this, undefined, prompt, options);
  }

  evaluate(options: EvaluateOptions = {}): Promise<Evaluation> {
    return evaluateOn(this, undefined, options);
  }
}

/**
 * Read a model directory of Hugging Face's form; the model that the package brings where none is named.
 * Throws: NodeError MODEL_MISSING, MODEL_CONFIG, SAFETENSORS_INVALID.
 */
export function readModel(directory: string | undefined): LoadedModel {
  const path = directory === undefined ? embeddedModelDirectory() : absolutePath(directory);
  return new LoadedModel(path, openModel(path));
}

/** The model that an option means.  Throws: as readModel; CONFIG_INVALID for what is none. */
export function modelOf(given: Model | string | undefined): LoadedModel {
  if (given === undefined || typeof given === "string") return readModel(given);
  if (given instanceof LoadedModel) return given;
  throw new NodeError("CONFIG_INVALID", "model: give a directory, or what loadModel returned");
}

/** Text behind a prompt, by a model with or without an adapter.  Throws: MODEL_CONFIG, TOKENIZER_MISSING, CONFIG_INVALID. */
export async function generateText(
  { opened }: LoadedModel,
  used: (AdapterFacts & { readonly adapter: SavedAdapter }) | undefined,
  prompt: string,
  options: PromptOptions,
): Promise<string> {
  const { model, files } = opened;
  const { system, maxTokens = 128, temperature, topP, seed = 0, threads, device, signal, onText } = options;
  const tokenizer = tokenizerOfFiles(files);
  const asked = askedPrompt({ prompt, system, kept: used?.trained }, files, tokenizer);
  const settings = generationSettings(files);
  const ids = [...asked.ids];
  const shown = tokenizer.decode(asked.ids).length;
  const textOf = (): string => tokenizer.decode(ids).slice(shown);
  await generate(
    {
      runtime: createOnnxRuntime(device === undefined ? {} : { device }),
      model,
      adapter: used && usedAdapter(used.adapter, model),
    },
    {
      promptIds: asked.ids,
      tokensMax: maxTokens,
      sampling:
        temperature === undefined && topP === undefined ? GREEDY : { temperature: temperature ?? 0, topP: topP ?? 1 },
      seed,
      endIds: new Set([
        ...(tokenizer.endId === undefined ? [] : [tokenizer.endId]),
        ...settings.endIds,
        ...asked.endIds,
      ]),
      ...(threads !== undefined && { threads }),
      ...(signal && { signal }),
      onToken: (id) => {
        ids.push(id);
        onText?.(textOf());
      },
    },
  );
  return textOf();
}

/** Scores on a set of the data that training did not see, unless the set is the training set.  Throws: as loadExamples. */
export async function evaluateOn(
  { opened, directory }: LoadedModel,
  used: (AdapterFacts & { readonly adapter: SavedAdapter }) | undefined,
  { data, set = "test", threads, device }: EvaluateOptions,
): Promise<Evaluation> {
  const { model } = opened;
  const trained = used?.trained;
  const { maxTokens, batchSize } = trained ?? trainingDefaults();
  const { sets } = await loadExamples({
    ...sourceOf(data ?? used?.data),
    modelDirectory: directory,
    maxTokens: Math.min(maxTokens, model.shape.contextTokens),
    batchSize,
    seed: used?.dataSeed ?? used?.adapter.seed ?? 0,
    needed: [set],
    ...(trained && { trained }),
  });
  const engine = { ...(threads !== undefined && { threads }), ...(device && { device }) };
  return await evaluateLocally({ opened, adapter: used?.adapter, data: sets, set, engine });
}

/** The values of an adapter in tensors, by name.  Shapes: as its kind says. */
export function tensorsByName({ tensors, values }: SavedAdapter): ReadonlyMap<string, Float32Array> {
  let offset = 0;
  return new Map(
    tensors.map(({ name, shape }) => {
      const length = shape.reduce((product, n) => product * n, 1);
      offset += length;
      return [name, values.slice(offset - length, offset)];
    }),
  );
}
