/**
 * Text from a prompt, one token at a time: the prompt is read at once, then every token by itself with the keys and
 * values of those before it.
 */
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { NodeError } from "../errors.ts";
import type { Runtime, Session } from "../interface/runtime.ts";
import { assertComputed } from "../model/base/base-form.ts";
import { type BaseModel, modelSession } from "../model/base-model.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { int64 } from "../tensor.ts";
import type { UsedAdapter, UsedModel } from "./inference-graph.ts";
import { promptGraph, settingsAfterPrompt, tokenGraph } from "./inference-graph.ts";
import type { SamplingSettings } from "./sampler.ts";
import { sampleToken } from "./sampler.ts";

/** One text to be generated. */
export interface GenerateOptions {
  readonly promptIds: readonly number[];
  /** Tokens to generate at most; fewer where the model's context ends. */
  readonly tokensMax: number;
  readonly sampling: SamplingSettings;
  readonly seed: number;
  /** Tokens that end the text; they are not part of it. */
  readonly endIds: ReadonlySet<number>;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onToken?: (id: number) => void;
}

/** A generated text. */
export interface Generated {
  /** The tokens behind the prompt. */
  readonly ids: readonly number[];
  readonly stopped: "end token" | "tokens" | "context" | "signal";
}

/** Throws: MODEL_CONFIG for a model that does not generate, CONFIG_INVALID for a prompt that does not fit. */
export async function generate(
  { runtime, model, adapter }: UsedModel & { readonly runtime: Runtime },
  options: GenerateOptions,
): Promise<Generated> {
  const { promptIds, tokensMax, sampling, endIds, signal } = options;
  checkPrompt(model, promptIds);
  await assertComputed(runtime, model);
  const room = model.shape.contextTokens - promptIds.length;
  const wanted = Math.min(tokensMax, room);
  const load = (graph: OnnxGraph): Promise<Session> => runtime.load(encodeModel(graph), modelSession(model, options));
  const prng = createPrng(options.seed).fork("sampling");
  const memory = createMemory(model, promptIds.length + wanted);
  const ids: number[] = [];
  const read = (textIds: readonly number[]): Promise<Float32Array> =>
    readText({ model, adapter, load, textIds, promptLength: promptIds.length, memory });
  let logits = await read(promptIds);
  const { rereadBeyond = Number.POSITIVE_INFINITY } = model.cache ?? {};
  let session: Session | undefined;
  try {
    for (;;) {
      if (signal?.aborted) return { ids, stopped: "signal" };
      if (ids.length === wanted) return { ids, stopped: wanted < tokensMax ? "context" : "tokens" };
      const next = sampleToken(logits, sampling, prng);
      if (endIds.has(next)) return { ids, stopped: "end token" };
      ids.push(next);
      options.onToken?.(next);
      if (ids.length === wanted) continue;
      if (promptIds.length <= rereadBeyond && promptIds.length + ids.length === rereadBeyond + 1) {
        logits = await read([...promptIds, ...ids]);
        continue;
      }
      session ??= await load(tokenGraph({ model, adapter: afterPrompt(adapter) }, memory));
      const position = promptIds.length + ids.length - 1;
      const outputs = await session.run({
        input_ids: int64([1, 1], [next]),
        position: int64([1], [position]),
        ...memory.feeds,
      });
      memory.store(outputs, position, 1);
      logits = outputs.logits!.data as Float32Array;
    }
  } finally {
    await session?.close();
  }
}

function checkPrompt(model: BaseModel, promptIds: readonly number[]): void {
  if (!model.cache) {
    const text = `a ${model.family} model${model.classifier ? " names a class and" : ""} does not generate text; give a language model of a decoder family`;
    throw new NodeError("MODEL_CONFIG", text);
  }
  const { contextTokens, vocabulary } = model.shape;
  if (promptIds.length < 1) throw new NodeError("CONFIG_INVALID", "the prompt has no token; write some text");
  if (promptIds.length >= contextTokens) {
    const text = `the prompt has ${promptIds.length} tokens, the model's context ${contextTokens}; shorten it`;
    throw new NodeError("CONFIG_INVALID", text);
  }
  const wrong = promptIds.find((id) => !(id >= 0 && id < vocabulary));
  if (wrong !== undefined) {
    const text = `token id ${wrong} is outside the model's vocabulary of ${vocabulary}; do tokenizer.json and the weights belong together?`;
    throw new NodeError("MODEL_CONFIG", text);
  }
}

/** The logits behind the prompt, or behind it and what was generated; all keys and values go into the memory. */
async function readText({
  model,
  adapter,
  load,
  textIds,
  promptLength,
  memory,
}: UsedModel & {
  readonly load: (graph: OnnxGraph) => Promise<Session>;
  readonly textIds: readonly number[];
  readonly promptLength: number;
  readonly memory: Memory;
}): Promise<Float32Array> {
  const tokens = textIds.length;
  const session = await load(promptGraph({ model, adapter }, { tokens }));
  try {
    const counts = adapter ? adapterMethod(adapter.settings).positions(adapter.settings) : { first: 0, last: 0 };
    const outputs = await session.run({
      input_ids: int64([1, tokens], textIds),
      ...interventionFeeds(counts, [promptLength], tokens),
    });
    memory.store(outputs, 0, tokens);
    return outputs.logits!.data as Float32Array;
  } finally {
    await session.close();
  }
}

function afterPrompt(adapter: UsedAdapter | undefined): UsedAdapter | undefined {
  const settings = adapter && settingsAfterPrompt(adapter.settings);
  return settings && { settings, tensors: adapter.tensors };
}

interface Memory {
  readonly capacity: number;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Keep the keys and values of `count` tokens from `position` on. */
  store(outputs: Readonly<Record<string, Tensor>>, position: number, count: number): void;
}

/** capacity: tokens in all. The buffers are fed as they are, and filled between the steps. */
function createMemory(model: BaseModel, capacity: number): Memory {
  const feeds: Record<string, Tensor> = {};
  for (const [layer, { groups, headSize }] of model.cache!.memories) {
    for (const name of ["keys", "values"]) {
      const data = new Float32Array(groups * capacity * headSize);
      feeds[`past_${name}.${layer}`] = { dtype: "float32", shape: [1, groups, capacity, headSize], data };
    }
  }
  return {
    capacity,
    feeds,
    store: (outputs, position, count) => {
      for (const [name, { data, shape }] of Object.entries(feeds)) {
        const [, groups, , headSize] = shape as [number, number, number, number];
        const now = outputs[name.slice("past_".length)]!.data as Float32Array;
        for (let group = 0; group < groups; group++) {
          const rows = now.subarray(group * count * headSize, (group + 1) * count * headSize);
          (data as Float32Array).set(rows, (group * capacity + position) * headSize);
        }
      }
    },
  };
}
