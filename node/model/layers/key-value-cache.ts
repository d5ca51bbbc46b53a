/**
 * Generating one token at a time: keys and values of earlier tokens are remembered instead of computed again
 * (Shazeer 2019, arXiv:1911.02150, section 2.4). A first graph reads the prompt and gives its keys and values; a second
 * one reads a single token, with a memory of fixed size of which the slots before the token's position are filled.
 */
import { concat } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";

/** One layer's keys, already rotated to their positions, and its values; f32[B, groups, tokens, headSize]. */
export interface KeysAndValues {
  readonly keys: OnnxValue;
  readonly values: OnnxValue;
}

/** The tokens that one layer attends to beside those at hand. */
export interface RememberedTokens {
  /** i64[1]: how many slots are filled, and where the one token of this call stands. */
  readonly position: OnnxValue;
  /** Number of slots. */
  readonly capacity: number;
  /** f32[B, groups, capacity, headSize]; slots at and behind the position are not read. */
  readonly layer: (layer: number) => KeysAndValues;
}

/** The sizes of one layer's memory of a token. */
export interface MemoryShape {
  /** Key/value heads. */
  readonly groups: number;
  readonly headSize: number;
}

/** The sizes of such a memory. */
export interface CacheShape {
  /** By layer; without those that attend to what another layer remembers. */
  readonly memories: ReadonlyMap<number, MemoryShape>;
  /** Text length beyond which all keys are turned otherwise: a text that grows beyond it is read again. */
  readonly rereadBeyond?: number;
}

/** What the layers of one graph remember and are to give back. */
export interface KeyValueCache {
  /** Absent where the tokens at hand are the text's first. */
  readonly past?: RememberedTokens;
  /** Called once for each layer that has a memory, with what this call's tokens are to be remembered by. */
  readonly remember: (layer: number, now: KeysAndValues) => void;
}

/** The memories of layers that are alike. */
export const memoriesOf = (layers: number, shape: MemoryShape): ReadonlyMap<number, MemoryShape> =>
  new Map(Array.from({ length: layers }, (_, layer) => [layer, shape]));

/** For `attention`: what a layer's queries see, given the keys and values of the tokens at hand. */
export function attended(cache: KeyValueCache | undefined, layer: number): (now: KeysAndValues) => KeysAndValues {
  return (now) => {
    cache?.remember(layer, now);
    const past = cache?.past?.layer(layer);
    if (!past) return now;
    return { keys: concat([past.keys, now.keys], 2), values: concat([past.values, now.values], 2) };
  };
}
