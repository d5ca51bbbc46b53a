/** How a network trains: every number of `training` and `rounds`, the optimisers and the schedules. */
import { LIMITS } from "../limits.ts";
import type { FieldTable, RecordOf } from "./field.ts";
import type { FlaggedTable } from "./flagged.ts";
import type { KindOf, SettingsOf, Variant, VariantField } from "./variant.ts";

const MOMENTUM = {
  type: "number",
  min: 0,
  max: 0.9999,
  text: "the momentum",
  source: "Polyak 1964; momentum of torch.optim.SGD",
  optional: true,
  word: { place: "optional" },
  example: "0.9",
} as const satisfies VariantField;

/** The optimisers by name. Their numbers stand beside the other ones of `training`. */
export const OPTIMIZERS = {
  tag: "optimizer",
  what: "optimizer",
  kinds: {
    adamw: { text: "AdamW", source: "Loshchilov and Hutter 2019, arXiv:1711.05101", fields: {} },
    sgd: {
      text: "gradient descent, with momentum or without",
      source: "torch.optim.SGD",
      fields: { momentum: MOMENTUM },
    },
  } as const satisfies Readonly<Record<string, Variant>>,
} as const;

const WARMUP = {
  warmupSteps: {
    type: "integer",
    min: 0,
    max: LIMITS.localStepsMax,
    text: "the local steps in which the rate rises from 0 to its full value",
    source: "transformers/optimization.py; at most as many as a round may have",
    word: { place: "optional" },
    initial: 0,
    example: "10",
  },
} as const satisfies Readonly<Record<string, VariantField>>;

/** How the learning rate changes over the local steps of all rounds; see node/training/schedule.ts. */
export const SCHEDULES = {
  tag: "kind",
  what: "schedule",
  kinds: {
    constant: { text: "the full rate throughout", source: "transformers/optimization.py", fields: WARMUP },
    linear: { text: "falling to 0 in a straight line", source: "transformers/optimization.py", fields: WARMUP },
    cosine: {
      text: "falling to 0 along half a cosine",
      source: "Loshchilov and Hutter 2017, arXiv:1608.03983",
      fields: WARMUP,
    },
  } as const satisfies Readonly<Record<string, Variant>>,
} as const;

/** The numbers of `training`, but for those of the optimiser and the schedule. */
export const TRAINING = {
  learningRate: {
    type: "number",
    min: 0,
    without: "min",
    max: 10,
    text: "step size of the optimiser",
    source: "the full learning rate; above 10 nothing trains",
    flag: "learningRate",
    placeholder: "rate",
  },
  headLearningRate: {
    type: "number",
    min: 0,
    without: "min",
    max: 10,
    text: "of classifiers: step size for a trained head, which goes through the schedule as the other does",
    source:
      "this project's own bound, as of the learning rate; a head starts from nothing, and an adapter beside what the model can",
    optional: true,
    flag: "headLearningRate",
    placeholder: "rate",
    otherwise: "the adapter's",
  },
  weightDecay: {
    type: "number",
    min: 0,
    max: 1,
    text: "the share of a value that decays in a step, times the learning rate",
    source: "arXiv:1711.05101",
  },
  gradientClip: {
    type: "number",
    min: 0,
    without: "min",
    max: 1_000_000,
    text: "the largest norm of a gradient; a larger one is scaled down to it",
    source: "torch.nn.utils.clip_grad_norm_",
  },
  batchSize: {
    type: "integer",
    min: 1,
    max: 4096,
    text: "examples per batch",
    source: "a graph is made for so many rows; more fit through accumulate",
    flag: "batchSize",
  },
  maxTokens: {
    type: "integer",
    min: 2,
    max: 131_072,
    text: "longest example in tokens",
    source: "the longest context of the model families that are known",
    flag: "maxTokens",
  },
  accumulate: {
    type: "integer",
    min: 1,
    max: 4096,
    text: "batches per optimiser step",
    source: "gradient accumulation; as many as a batch may have examples",
    optional: true,
    flag: "accumulate",
    otherwise: "1",
  },
  proximal: {
    type: "number",
    min: 0,
    max: 1_000_000,
    text: "hold local steps to the reference model, with this weight in the loss",
    source: "l2 of l2/2 |theta - m|^2; FedProx, arXiv:1812.06127",
    optional: true,
    flag: "proximal",
    placeholder: "weight",
    otherwise: "they are free",
  },
  logitAdjustment: {
    type: "number",
    min: 0,
    without: "min",
    max: 4,
    text: "of classifiers: take loss and own predictions on z + tau log q, q the shares of a peer's own classes, which it never sends",
    source: "tau of Menon et al. 2021, arXiv:2007.07314, where 1 is right and more favours rare classes",
    optional: true,
    flag: "logitAdjustment",
    placeholder: "tau",
    otherwise: "on z",
  },
} as const satisfies FlaggedTable;

const DAY_MS = 86_400_000;

/** The rounds of a network. */
export const ROUNDS = {
  count: {
    type: "integer",
    min: 1,
    max: LIMITS.roundCountMax,
    text: "rounds of training and exchange",
    source: "LIMITS.roundCountMax",
    flag: "rounds",
  },
  localSteps: {
    type: "integer",
    min: 1,
    max: LIMITS.localStepsMax,
    text: "optimiser steps per round",
    source: "LIMITS.localStepsMax",
    flag: "localSteps",
  },
} as const satisfies FlaggedTable;

/** How long a round's exchange waits at least and at most, in milliseconds; between them it follows the observed pace. */
export const DEADLINE = {
  min: {
    type: "integer",
    min: 0,
    max: DAY_MS,
    text: "the least time that a round's exchange waits",
    source: "a day at most",
  },
  max: {
    type: "integer",
    min: 1,
    max: DAY_MS,
    text: "the most time that a round's exchange waits",
    source: "a day at most",
  },
} as const satisfies FieldTable;

/** How the learning rate changes over the local steps of all rounds. */
export type LearningRateSchedule = SettingsOf<typeof SCHEDULES>;

/** How a network trains. */
export interface TrainingSpec extends RecordOf<typeof TRAINING> {
  readonly optimizer: KindOf<typeof OPTIMIZERS>;
  /** Of sgd only; plain gradient descent when absent. */
  readonly momentum?: number;
  /** Constant without a warm-up when absent. */
  readonly schedule?: LearningRateSchedule;
}

/** How many rounds there are, and how long each is. */
export interface RoundSchedule extends RecordOf<typeof ROUNDS> {
  /** A round's exchange waits at least and at most so long; between them the deadline follows the observed pace. */
  readonly deadlineMs: RecordOf<typeof DEADLINE>;
}
