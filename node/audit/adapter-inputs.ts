/** The inputs of an adapter's first layers for a text. An onlooker can compute them for every text there is. */
import { inject } from "../adapter/inject.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { AdapterHooks, WeightSource } from "../model/base-model.ts";
import { encodeModel } from "../onnx/codec.ts";
import { inputValue } from "../onnx/graph.ts";
import { gather, ints } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import { float32, int64, type Tensor } from "../tensor.ts";
import { type AdaptedModel, unflatten } from "../training/training-step.ts";

/** Texts that are computed at once. */
const TEXTS_MAX = 1024;

/**
 * The input of every adapted place of one layer at the last position of each text, by the place's name: a linear layer's
 * path, or `block` for the residual stream before the layer's intervention.
 * texts: N of one length -> rows f32[N, inputs].
 */
export async function adapterInputs(
  runtime: Runtime,
  {
    adapted,
    adapter,
    layer,
    texts,
    threads,
  }: {
    readonly adapted: AdaptedModel;
    readonly adapter: Float32Array;
    readonly layer: number;
    readonly texts: readonly (readonly number[])[];
    readonly threads: number;
  },
): Promise<ReadonlyMap<string, { readonly columns: number; readonly rows: Float32Array }>> {
  const { model, adapter: settings, slots, frozen = new Map() } = adapted;
  const length = texts[0]!.length;
  const examples = Math.min(TEXTS_MAX, texts.length);
  const method = adapterMethod(settings);
  const inputIds = inputValue("input_ids", "int64", [examples, length]);
  const flat = inputValue("adapter", "float32", [adapter.length]);
  const own = new Set(slots.map((slot) => slot.name));
  const tensor = unflatten(flat, slots);
  const trained = (name: string): OnnxValue | undefined => (own.has(name) ? tensor(name) : undefined);
  const weight: WeightSource = (wanted) => trained(wanted.name) ?? model.weight(wanted);
  const injection = { settings, model: model.shape, base: model, trained, frozen };
  const { inputs, hooks } = inject({ ...injection, examples, tokens: length, training: false });
  const seen = new Map<string, OnnxValue>();
  const watching: AdapterHooks = {
    ...hooks,
    linear: (site, x, y, rows) => {
      if (site.layer === layer && hooks.adapts?.(site) !== false) seen.set(site.path, x);
      return hooks.linear?.(site, x, y, rows) ?? y;
    },
    block: (at, h, rows) => {
      if (at === layer) seen.set("block", h);
      return hooks.block?.(at, h, rows) ?? h;
    },
  };
  model.hidden({ inputIds, weight, hooks: watching });
  const last = ints(Array.from({ length: examples }, (_, n) => n * length + length - 1));
  const outputs = Object.fromEntries([...seen.values()].map((value, i) => [`input_${i}`, gather(value, last)]));
  const session = await runtime.load(encodeModel({ inputs: [inputIds, flat, ...inputs], outputs }), {
    externalData: model.externalData,
    threads,
  });
  const found = [...seen].map(([name, { shape }]) => {
    const columns = shape[1]!;
    return [name, { columns, rows: new Float32Array(texts.length * columns) }] as const;
  });
  try {
    for (let from = 0; from < texts.length; from += examples) {
      // The last batch is filled up with its first text.
      const batch = Array.from({ length: examples }, (_, n) => texts[from + n] ?? texts[from]!);
      const prompts = new Array<number>(examples).fill(length);
      const feeds: Record<string, Tensor> = {
        input_ids: int64([examples, length], batch.flat()),
        adapter: float32([adapter.length], adapter),
        ...interventionFeeds(method.positions(settings), prompts, length),
      };
      const result = await session.run(feeds);
      const count = Math.min(examples, texts.length - from);
      for (const [i, [, { columns, rows }]] of found.entries()) {
        const values = result[`input_${i}`]!.data as Float32Array;
        rows.set(values.subarray(0, count * columns), from * columns);
      }
    }
  } finally {
    await session.close();
  }
  return new Map(found);
}
