/**
 * The blocks below the lowest adapter: frozen, and so the same for an example in every epoch. Their result is kept, and
 * from the second epoch on a step costs what its upper blocks cost.
 */
import type { Batch } from "../data/batch.ts";
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

export interface FrozenBlocks {
  /** stream f32[B*T, D] of a batch, from what is kept where every example of it is. */
  feeds(batch: Batch, feeds: Readonly<Record<string, Tensor>>): Promise<{ readonly stream: Tensor }>;
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
    feeds: async (batch, feeds) => {
      const keys = rowKeys(batch);
      const rowValues = (shape[0]! / keys.length) * shape[1]!;
      const kept = keys.map((key) => store.get(key));
      if (kept.every((row) => row !== undefined)) {
        const stream = new Float32Array(shape[0]! * shape[1]!);
        for (const [b, row] of kept.entries()) stream.set(row, b * rowValues);
        return { stream: float32(shape, stream) };
      }
      loading ??= runtime.load(encodeModel(below), sessionOptions);
      const inputs = Object.fromEntries(wanted.map((name) => [name, feeds[name]!]));
      const { stream } = await (await loading).run(inputs);
      const values = stream!.data as Float32Array;
      for (const [b, key] of keys.entries()) store.put(key, values.slice(b * rowValues, (b + 1) * rowValues));
      return { stream: stream! };
    },
    close: async () => (await loading)?.close(),
  };
}

/** The padded token ids of every row: what the frozen blocks' result depends on, and nothing else does. */
function rowKeys({ inputIds }: Batch): readonly string[] {
  const [examples, tokens] = inputIds.shape as [number, number];
  const ids = inputIds.data as BigInt64Array;
  return Array.from({ length: examples }, (_, b) => `${ids.subarray(b * tokens, (b + 1) * tokens)}`);
}
