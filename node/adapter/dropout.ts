/**
 * Dropout of a linear layer's input: x ∘ m / k, every m independent, 1 with probability k and otherwise 0. The masks are
 * fed from a named random stream, so that a step has the same bits when it is repeated, and evaluation has none.
 * Source: Srivastava et al. 2014, "Dropout"; on the input of LoRA as in Hu et al. 2021, arXiv:2106.09685.
 */
import type { Prng } from "../../protocol/prng.ts";
import { apply, inputValue } from "../onnx/graph.ts";
import { chosenRows, mul } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";

/** A linear layer whose input is dropped out. */
export interface DropoutSite {
  /** Module path of the layer. */
  readonly path: string;
  /** Length of its input vectors. */
  readonly columns: number;
  /** Probability of a 0, as it was asked for. */
  readonly rate: number;
}

/**
 * The input of a linear layer with some values replaced by 0, not yet scaled up.
 * x: f32[B*T, in], or, where `at` i64[M] is given, the rows of it that are named there.
 */
export type Drop = (path: string, x: OnnxValue, at?: OnnxValue) => OnnxValue;

/** A mask value is decided by 16 random bits, half of one draw. */
const STEPS = 65_536;

/** ONNX's number of float32 in Cast. */
const FLOAT = 1;

const threshold = (rate: number): number => Math.round(rate * STEPS);

/** k, the probability that a value is kept, as it is after rounding the rate to 16 bits. */
export const keptShare = (rate: number): number => 1 - threshold(rate) / STEPS;

/** The graph inputs that carry the masks, and x ∘ m; rows: B*T. */
export function dropoutInputs(
  sites: readonly DropoutSite[],
  rows: number,
): { readonly inputs: readonly OnnxValue[]; readonly drop: Drop } {
  const masks = new Map(
    sites.map(({ path, columns }) => [path, inputValue(inputName(path), "uint8", [rows, columns])] as const),
  );
  return {
    inputs: [...masks.values()],
    drop: (path, x, at) => {
      const mask = masks.get(path);
      if (!mask) return x;
      return mul(
        x,
        apply("Cast", [chosenRows(mask, at)], { attributes: { to: { int: FLOAT } }, label: inputName(path) }),
      );
    },
  };
}

/** The masks to feed: a function of the stream's name alone.  rows: B*T. */
export function dropoutFeeds(
  sites: readonly DropoutSite[],
  rows: number,
  prng: Prng,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    sites.map(({ path, columns, rate }) => {
      const data = new Uint8Array(rows * columns);
      fillMask(data, threshold(rate), prng.fork(path));
      return [inputName(path), { dtype: "uint8", shape: [rows, columns], data }];
    }),
  );
}

const inputName = (path: string): string => `dropout.${path}`;

/** Random words drawn at a time: enough that a draw costs next to nothing, few enough to stay in the cache. */
const WORDS = 4096;

function fillMask(mask: Uint8Array, dropBelow: number, prng: Prng): void {
  const words = new Uint32Array(Math.min(WORDS, Math.ceil(mask.length / 2)));
  for (let i = 0; i < mask.length; i += 2 * words.length) {
    prng.fill(words);
    const pairs = Math.min(words.length, (mask.length - i) >>> 1);
    for (let k = 0; k < pairs; k++) {
      const word = words[k]!;
      // The sign of bits - dropBelow, turned into 0 or 1.
      mask[i + 2 * k] = 1 ^ (((word >>> 16) - dropBelow) >>> 31);
      mask[i + 2 * k + 1] = 1 ^ (((word & 0xffff) - dropBelow) >>> 31);
    }
  }
  if (mask.length % 2 === 1) mask[mask.length - 1] = prng.uint32() >>> 16 >= dropBelow ? 1 : 0;
}
