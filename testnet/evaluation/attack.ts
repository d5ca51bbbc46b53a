/**
 * The values that a lying peer sends. The liar is all-knowing: it sees the updates of the honest peers before it sends its own.
 * Notation: theta_0 the network's common start, theta_l the liar's own adapter, theta_j the honest peers'.
 */
import type { Example, ExampleSets } from "../../node/interface/trainer.ts";

/** The lies that a liar can send, by name. */
export const ATTACKS = [
  /** theta_0 - 10 (theta_l - theta_0) */
  "sign-flip",
  /** theta_0 + 1000 (theta_l - theta_0) */
  "scaling",
  /** Honest training on data in which every prompt has another prompt's response. */
  "label-flip",
  /** mu - 1.5 sigma of the honest values, coordinate by coordinate.  Source: Baruch et al. 2019, arXiv:1902.06156. */
  "alie",
  /** theta_0 - 0.1 (mean_j theta_j - theta_0).  Source: Xie et al. 2019, arXiv:1903.03936. */
  "inner-product",
  /** To receiver i: theta_i - sum_j (theta_j - theta_i), another for each.  Source: He et al. 2022, arXiv:2202.01545. */
  "dissensus",
  /** A NaN among the values. */
  "nan",
  /** The first update again in every round. */
  "replay",
] as const;
/** The name of an attack. */
export type Attack = (typeof ATTACKS)[number];

const SIGN_FLIP = 10;
const SCALING = 1000;
/** The factor of the paper's experiments; its bound for one liar of eight would be no deviation at all. */
const ALIE_DEVIATIONS = 1.5;
const INNER_PRODUCT = 0.1;

/** The knowledge of the liar in a round before it sends. */
export interface LieContext {
  /** theta_0 and theta_l, the part that travels, f32[P]. */
  readonly start: Float32Array;
  readonly own: Float32Array;
  /** theta_j of the honest peers, in their order. */
  readonly honest: readonly Float32Array[];
  /** Index in `honest` of who receives it. */
  readonly receiver: number;
}

/** The adapter that the liar sends to one receiver; its own where the lie is not in the values.  Shapes: → f32[P]. */
export function lieOf(attack: Attack, { start, own, honest, receiver }: LieContext): Float32Array {
  const mean = (i: number): number => honest.reduce((sum, theta) => sum + theta[i]!, 0) / honest.length;
  switch (attack) {
    case "sign-flip":
      return own.map((x, i) => start[i]! - SIGN_FLIP * (x - start[i]!));
    case "scaling":
      return own.map((x, i) => start[i]! + SCALING * (x - start[i]!));
    case "alie":
      return own.map((_, i) => {
        const mu = mean(i);
        const variance = honest.reduce((sum, theta) => sum + (theta[i]! - mu) ** 2, 0) / honest.length;
        return mu - ALIE_DEVIATIONS * Math.sqrt(variance);
      });
    case "inner-product":
      return own.map((_, i) => start[i]! - INNER_PRODUCT * (mean(i) - start[i]!));
    case "dissensus": {
      const mine = honest[receiver]!;
      return own.map((_, i) => mine[i]! - honest.reduce((sum, theta) => sum + (theta[i]! - mine[i]!), 0));
    }
    case "nan":
      return own.map((x, i) => (i === 0 ? Number.NaN : x));
    case "label-flip":
    case "replay":
      return own;
  }
}

/** float32 values, little endian, whatever they are: the product's own encoding refuses what is not finite. */
export function encodeAnything(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
  return bytes;
}

/** Training examples whose prompts are answered with the response of the next example that has another one. */
export function flipLabels(sets: ExampleSets): ExampleSets {
  const { train } = sets;
  const responseOf = ({ tokens, promptLength }: Example): readonly number[] => tokens.slice(promptLength);
  const flipped = train.map((example, i) => {
    const own = responseOf(example).join();
    const other = train.map((_, k) => train[(i + 1 + k) % train.length]!).find((one) => responseOf(one).join() !== own);
    const prompt = example.tokens.slice(0, example.promptLength);
    return other ? { tokens: [...prompt, ...responseOf(other)], promptLength: example.promptLength } : example;
  });
  return { ...sets, train: flipped };
}
