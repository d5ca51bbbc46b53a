/** Every reference model: the average of a peer's own past that holds its adapter back. */
import type { SettingsOf, Variant, VariantField } from "./variant.ts";

/** Decay of the Fisher information that a word asks for: about the last hundred local steps count. */
const FISHER_DECAY = 0.99;
/** Largest decay: 1 would never forget. */
const DECAY_MAX = 0.999999;
const WEIGHT_MAX = 1_000_000;

/** How strongly a peer's past holds its adapter back; `initial` is the middle of the range of arXiv:2506.23210. */
const PULL = {
  l1: {
    type: "number",
    min: 0,
    max: WEIGHT_MAX,
    text: "the weight of the adapter that left the last round",
    source: "FedRef, arXiv:2506.23210",
    initial: 1e-3,
  },
  l2: {
    type: "number",
    min: 0,
    max: WEIGHT_MAX,
    text: "the weight of the reference model",
    source: "FedRef, arXiv:2506.23210",
    initial: 1e-2,
  },
  fisherDecay: {
    type: "number",
    min: 0,
    max: DECAY_MAX,
    text: "decay, per local step, of the Fisher information that weighs the pull value by value; all alike when absent",
    source: "Kirkpatrick et al. 2017, arXiv:1612.00796",
    optional: true,
    word: { plus: "fisher", value: FISHER_DECAY },
  },
} as const satisfies Readonly<Record<string, VariantField>>;

/** The kinds by name. */
export const REFERENCES = {
  tag: "kind",
  what: "reference",
  kinds: {
    none: { text: "nothing holds the adapter back", source: "the absence of FedRef, arXiv:2506.23210", fields: {} },
    window: {
      text: "the mean of the last rounds' adapters",
      source: "FedRef, arXiv:2506.23210; linear weights are this project's own",
      fields: {
        size: {
          type: "integer",
          min: 1,
          max: 64,
          text: "the rounds in the mean",
          source: "p of arXiv:2506.23210; each is an adapter in memory",
          word: { place: "needed" },
          example: "4",
        },
        weights: {
          type: "choice",
          values: ["uniform", "linear"],
          text: "whether all of them weigh alike, or the newest most",
          source: "uniform: arXiv:2506.23210; linear: this project's own",
          word: { words: { linear: "linear", uniform: "uniform" } },
          initial: "uniform",
        },
        ...PULL,
      },
    },
    ema: {
      text: "an average of all rounds that forgets the oldest",
      source: "this project's own",
      fields: {
        decay: {
          type: "number",
          min: 0,
          max: DECAY_MAX,
          text: "the share of the average that a round leaves as it is",
          source: "an exponential moving average",
          word: { place: "needed" },
          example: "0.9",
        },
        ...PULL,
      },
    },
  } as const satisfies Readonly<Record<string, Variant>>,
} as const;

/** The part of a peer's past that holds its adapter back, and its strength. */
export type ReferenceSettings = SettingsOf<typeof REFERENCES>;
