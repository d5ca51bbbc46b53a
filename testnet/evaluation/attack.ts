/**
 * The values that a lying peer sends. The liar is all-knowing: it sees the updates of the honest peers before it sends its own.
 * Notation: theta_0 the network's common start, theta_l the liar's own adapter, theta_j the honest peers'.
 */
import type { Example, ExampleSets } from "../../node/interface/trainer.ts";
import { createPrng, type Prng } from "../../protocol/prng.ts";

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
  /** theta_0 - (theta_l - theta_0) */
  "sign-flip-1",
  /** Every value 65504, the largest that float16 has. */
  "float16-max",
  /** Every value 3e38, just below the largest that float32 has. */
  "float32-max",
  /** Every value 0. */
  "zero",
  /** mean_j theta_j + 10 s N(0, 1), s the root mean square of theta_j - theta_0. */
  "noise",
  /**
   * mu - 0.4 (mu - theta_0) + sigma N(0, 1), mu and sigma of the honest values, coordinate by coordinate, another one for each liar:
   * what holds back most of all that pass the looks of `vetted-mean`.
   */
  "hinder",
  /**
   * mu - 0.4 R w + R / 4 N(0, 1 / P), R the honest values' root mean square distance from mu, w the unit vector along what mu has moved
   * by since the round before, less its part along mu - theta_0 from the second round on: what undoes the newest training
   * most, while it goes where all have gone. It is made for a judge of losses, who sees little of it at a time.
   */
  "undo",
  /** theta of the first honest peer, so that it counts once more for each liar. */
  "copy",
  /** To receiver i its own theta_i, another for each. */
  "mirror",
  /** The liar's adapter of the first round, signed anew in every round. */
  "stale",
  /** Nothing: the honest peers are by themselves. It is no lie, but the run that lies are compared with. */
  "silent",
] as const;
/** The name of an attack. */
export type Attack = (typeof ATTACKS)[number];

/** Attacks in which the liar trains as an honest peer does, because what it sends is made of that. */
const TRAINED: readonly Attack[] = ["sign-flip", "scaling", "label-flip", "replay", "sign-flip-1", "stale"];
/** Whether the liar trains. */
export const trainsLiar = (attack: Attack): boolean => TRAINED.includes(attack);

/** Attacks that tell every receiver something else. In a network the chains of the liar's updates betray it. */
const PERSONAL: readonly Attack[] = ["dissensus", "mirror"];
/** Whether every receiver is told something else. */
export const tellsEachAnother = (attack: Attack): boolean => PERSONAL.includes(attack);

const SIGN_FLIP = 10;
const SCALING = 1000;
/** The factor of the paper's experiments; its bound for one liar of eight would be no deviation at all. */
const ALIE_DEVIATIONS = 1.5;
const INNER_PRODUCT = 0.1;
const FLOAT16_MAX = 65_504;
const NEARLY_FLOAT32_MAX = 3e38;
const NOISE_DEVIATIONS = 10;
/** The rest is what the vetted mean asks for at least. */
const HELD_BACK = 0.4;
/** Of 0.4 and 1, and of hinder's pull at 0.1, 0.2 and 0.4, what took most on one seed while the rule tried mixes without each. */
const UNDONE = 0.4;
const UNDO_NOISE = 0.25;

/** The knowledge of the liar in a round before it sends. */
export interface LieContext {
  /** theta_0 and theta_l, the part that travels, f32[P]. */
  readonly start: Float32Array;
  readonly own: Float32Array;
  /** theta_l of the first round; `own` when absent. */
  readonly first?: Float32Array;
  /** theta_j of the honest peers, in their order. */
  readonly honest: readonly Float32Array[];
  /** Those of the round before; none in the first one. */
  readonly honestBefore?: readonly Float32Array[] | undefined;
  /** Index in `honest` of who receives it. */
  readonly receiver: number;
  /** What noise is drawn from. */
  readonly prng?: Prng;
}

/** The adapter that the liar sends to one receiver; its own where the lie is not in the values.  Shapes: → f32[P]. */
export function lieOf(attack: Attack, context: LieContext): Float32Array {
  const { start, own, first = own, honest, receiver } = context;
  switch (attack) {
    case "sign-flip":
      return own.map((x, i) => start[i]! - SIGN_FLIP * (x - start[i]!));
    case "sign-flip-1":
      return own.map((x, i) => start[i]! - (x - start[i]!));
    case "scaling":
      return own.map((x, i) => start[i]! + SCALING * (x - start[i]!));
    case "alie":
    case "inner-product":
    case "noise":
    case "hinder":
      return lieOfMean(attack, context);
    case "undo":
      return undoing(context);
    case "dissensus": {
      const mine = honest[receiver]!;
      return own.map((_, i) => mine[i]! - honest.reduce((sum, theta) => sum + (theta[i]! - mine[i]!), 0));
    }
    case "nan":
      return own.map((x, i) => (i === 0 ? Number.NaN : x));
    case "float16-max":
      return own.map(() => FLOAT16_MAX);
    case "float32-max":
      return own.map(() => NEARLY_FLOAT32_MAX);
    case "zero":
      return own.map(() => 0);
    case "copy":
      return honest[0]!;
    case "mirror":
      return honest[receiver]!;
    case "stale":
      return first;
    case "label-flip":
    case "replay":
    case "silent":
      return own;
  }
}

/** Lies that are made of the honest peers' mean. */
function lieOfMean(
  attack: "alie" | "inner-product" | "noise" | "hinder",
  { start, honest, prng = createPrng(0) }: LieContext,
): Float32Array {
  const mean = start.map((_, i) => honest.reduce((sum, theta) => sum + theta[i]!, 0) / honest.length);
  const deviation = (mu: number, i: number): number =>
    Math.sqrt(honest.reduce((sum, theta) => sum + (theta[i]! - mu) ** 2, 0) / honest.length);
  switch (attack) {
    case "alie":
      return mean.map((mu, i) => mu - ALIE_DEVIATIONS * deviation(mu, i));
    case "hinder":
      return mean.map((mu, i) => mu - HELD_BACK * (mu - start[i]!) + deviation(mu, i) * prng.normal());
    case "inner-product":
      return mean.map((mu, i) => start[i]! - INNER_PRODUCT * (mu - start[i]!));
    case "noise": {
      const squares = honest.map((theta) => theta.reduce((sum, x, i) => sum + (x - start[i]!) ** 2, 0));
      const spread = Math.sqrt(squares.reduce((sum, one) => sum + one, 0) / (honest.length * start.length));
      return mean.map((mu) => mu + NOISE_DEVIATIONS * spread * prng.normal());
    }
  }
}

function undoing({ start, honest, honestBefore, prng = createPrng(0) }: LieContext): Float32Array {
  const mean = meanOf(honest);
  const before = honestBefore === undefined ? start : meanOf(honestBefore);
  const way = mean.map((mu, i) => mu - start[i]!);
  const newest = mean.map((mu, i) => mu - before[i]!);
  const known = honestBefore === undefined ? 0 : dot(newest, way) / Math.max(dot(way, way), Number.MIN_VALUE);
  const turned = newest.map((x, i) => x - known * way[i]!);
  const length = Math.max(Math.sqrt(dot(turned, turned)), Number.MIN_VALUE);
  const distances = honest.map((theta) => theta.reduce((sum, x, i) => sum + (x - mean[i]!) ** 2, 0));
  const radius = Math.sqrt(distances.reduce((sum, one) => sum + one, 0) / honest.length);
  const noise = (UNDO_NOISE * radius) / Math.sqrt(start.length);
  return mean.map((mu, i) => mu - (UNDONE * radius * turned[i]!) / length + noise * prng.normal());
}

const meanOf = (thetas: readonly Float32Array[]): Float32Array =>
  thetas[0]!.map((_, i) => thetas.reduce((sum, theta) => sum + theta[i]!, 0) / thetas.length);
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

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
