/**
 * What adapters gave for single examples, kept by the adapter's values: a round looks at the same mix on behalf of its scores, of
 * the neighbours it leaves out, of lambda and of its end, each time on some of the same examples.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type EvaluatedBatch, exampleTokensOf } from "./evaluate.ts";

/** The labels of one example under one adapter. */
export interface EvaluatedExample {
  /** f32[M], in nats. */
  readonly losses: Float32Array;
  /** Most likely token of every row, i32[M]. */
  readonly predicted: Int32Array;
}

/** Results by example, of one adapter. */
export interface EvaluatedExamples {
  /** place: of the example in its set. */
  get(place: number): EvaluatedExample | undefined;
  put(place: number, result: EvaluatedExample): void;
}

/** More adapters than a round tries with eight groups of neighbours. */
const ADAPTERS_MAX = 24;

/** Bytes of kept results of all adapters together: thousands of short answers. */
const BYTES_MAX = 4 * 2 ** 20;

interface Kept {
  readonly results: Map<number, EvaluatedExample>;
  bytes: number;
}

/** Results under the adapters that were evaluated last. Beyond a bound the adapter used longest ago is forgotten. */
export class EvaluatedAdapters {
  readonly #kept = new Map<string, Kept>();
  readonly #bytesMax: number;
  #bytes = 0;

  /** bytesMax: of all results together. */
  constructor(bytesMax = BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** The results under an adapter f32[P], which is known again by its values alone. */
  under(adapter: Float32Array): EvaluatedExamples {
    const key = digestOf(adapter);
    const known = this.#kept.get(key) ?? { results: new Map<number, EvaluatedExample>(), bytes: 0 };
    this.#forget(key);
    this.#kept.set(key, known);
    this.#bytes += known.bytes;
    this.#makeRoom();
    return {
      get: (place) => known.results.get(place),
      put: (place, result) => {
        if (known.results.has(place) || this.#kept.get(key) !== known) return;
        const bytes = result.losses.byteLength + result.predicted.byteLength;
        known.results.set(place, result);
        known.bytes += bytes;
        this.#bytes += bytes;
        this.#makeRoom();
      },
    };
  }

  #makeRoom(): void {
    while (this.#kept.size > ADAPTERS_MAX || this.#bytes > this.#bytesMax) {
      const [oldest] = this.#kept.keys();
      if (oldest === undefined) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0;
    this.#kept.delete(key);
  }
}

const digestOf = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
  bytesToHex(sha256(new Uint8Array(buffer, byteOffset, byteLength)));

/** What is known of a batch whose examples stand at these places; undefined where one of them was not evaluated yet. */
export function knownBatch(
  { get }: Pick<EvaluatedExamples, "get">,
  places: readonly number[],
): { readonly losses: Float32Array; readonly predicted: Int32Array } | undefined {
  const known = places.map(get);
  if (!known.every((one) => one !== undefined)) return undefined;
  const labels = known.reduce((sum, { losses }) => sum + losses.length, 0);
  const [losses, predicted] = [new Float32Array(labels), new Int32Array(labels)];
  let at = 0;
  for (const one of known) {
    losses.set(one.losses, at);
    predicted.set(one.predicted, at);
    at += one.losses.length;
  }
  return { losses, predicted };
}

/** Keep what a batch gave, example by example. */
export function keepBatch(
  { put }: Pick<EvaluatedExamples, "put">,
  places: readonly number[],
  { batch, losses, predicted }: EvaluatedBatch,
): void {
  let at = 0;
  for (const [i, count] of exampleTokensOf(batch).entries()) {
    const range = { length: count };
    put(places[i]!, {
      losses: Float32Array.from(range, (_, m) => losses[at + m]!),
      predicted: Int32Array.from(range, (_, m) => predicted[at + m]!),
    });
    at += count;
  }
}
