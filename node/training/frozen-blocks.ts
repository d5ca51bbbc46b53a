/**
 * The blocks below the lowest adapter: frozen, and so the same for an example in every epoch. Their result is kept, and
 * from the second epoch on a step costs what its upper blocks cost.
 */
import type { Batch, Span } from "../data/batch.ts";
import type { Runtime, Session, SessionOptions } from "../interface/runtime.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";

/** Kept activations of at most so many bytes; examples beyond that are computed every time. */
export const ACTIVATION_BYTES_MAX = 512 * 2 ** 20;

/** Activations of examples, by their padded token ids; filled up to a bound, never emptied. */
export interface ActivationStore {
  get(key: string): Float32Array | undefined;
  put(key: string, values: Float32Array): void;
}

/** A store in memory. It keeps what fits into `bytesMax` bytes and leaves out the rest. */
export function createActivationStore({ bytesMax }: { readonly bytesMax: number }): ActivationStore {
  const kept = new Map<string, Float32Array>();
  let bytes = 0;
  return {
    get: (key) => kept.get(key),
    put: (key, values) => {
      if (kept.has(key) || bytes + values.byteLength > bytesMax) return;
      kept.set(key, values);
      bytes += values.byteLength;
    },
  };
}

/** Runs the frozen blocks, or takes their result from the store. */
export interface FrozenBlocks {
  /** stream f32[B*T, D] of a batch, from what is kept where every example of it is.  keeps: whether it is kept; true when absent. */
  feeds(
    batch: Batch,
    feeds: Readonly<Record<string, Tensor>>,
    options?: { readonly keeps?: boolean },
  ): Promise<{ readonly stream: Tensor }>;
  close(): Promise<void>;
}

/** below: of `cutTrainingStep`.  The session is made when something has to be computed. */
export function createFrozenBlocks(
  { runtime, store }: { readonly runtime: Runtime; readonly store: ActivationStore },
  { below, sessionOptions }: { readonly below: OnnxGraph; readonly sessionOptions: SessionOptions },
): FrozenBlocks {
  const shape = below.outputs.stream!.shape;
  let loading: Promise<Session> | undefined;
  const wanted = below.inputs.flatMap(({ source }) => (source.kind === "input" ? [source.name] : []));
  return {
    feeds: async (batch, feeds, { keeps = true } = {}) => {
      const width = shape[1]!;
      const spans = keptSpans(batch);
      const kept = spans.map(({ key }) => store.get(key));
      if (kept.every((values) => values !== undefined)) {
        // What stands between examples is padding, which no token of theirs sees.
        const stream = new Float32Array(shape[0]! * width);
        for (const [i, values] of kept.entries()) stream.set(values, spans[i]!.start * width);
        return { stream: float32(shape, stream) };
      }
      loading ??= runtime.load(encodeModel(below), sessionOptions);
      const inputs = Object.fromEntries(wanted.map((name) => [name, feeds[name]!]));
      const { stream } = await (await loading).run(inputs);
      const values = stream!.data as Float32Array;
      for (const { key, start, length } of keeps ? spans : []) {
        store.put(key, values.slice(start * width, (start + length) * width));
      }
      return { stream: stream! };
    },
    close: async () => (await loading)?.close(),
  };
}

/** Those of the given inputs that a graph declares. */
export function declaredOnly(
  { inputs }: Pick<OnnxGraph, "inputs">,
  feeds: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  const names = inputs.flatMap(({ source }) => (source.kind === "input" ? [source.name] : []));
  return Object.fromEntries(names.flatMap((name) => (feeds[name] ? [[name, feeds[name]]] : [])));
}

/**
 * What is kept together, an example where examples share rows, else a row, and its token ids: what the frozen blocks'
 * result depends on, and nothing else does.
 */
function keptSpans({ inputIds, packing }: Batch): readonly (Span & { readonly key: string })[] {
  const [rows, tokens] = inputIds.shape as [number, number];
  const ids = inputIds.data as BigInt64Array;
  const spans = packing?.spans ?? Array.from({ length: rows }, (_, b) => ({ start: b * tokens, length: tokens }));
  return spans.map((span) => ({ ...span, key: `${ids.subarray(span.start, span.start + span.length)}` }));
}
