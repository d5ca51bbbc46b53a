/** Flags that decide what a network agrees on, and the manifest settings that they stand for. */

import { defaultValues, KEYFRAME_EVERY } from "../node/manifest/default-encoding.ts";
import type { AdapterSettings } from "../protocol/adapter-spec.ts";
import type { UpdateEncoding, ValueEncoding } from "../protocol/encoding/update-encoding.ts";
import {
  type LambdaRule,
  type LearningRateSchedule,
  MANIFEST_DEFAULTS,
  type NetworkManifest,
  type ReferenceSettings,
  type TrainingSpec,
} from "../protocol/network-manifest.ts";
import { TESTNET_DEFAULTS } from "../testnet/defaults.ts";
import { ADAPTER_FORMS, formatAdapter, parseAdapter } from "./adapter-argument.ts";
import {
  AGGREGATION_FORMS,
  type AggregationRule,
  formatAggregation,
  parseAggregation,
} from "./aggregation-argument.ts";
import { longName, type OptionRow } from "./command-row.ts";
import { formatLambda, parseLambda } from "./lambda-argument.ts";
import { choice, integer, positive, shareOf } from "./option-value.ts";
import { formatReference, parseReference, REFERENCE_FORMS } from "./reference-argument.ts";
import { formatOptimizer, formatSchedule, parseOptimizer, parseSchedule } from "./training-argument.ts";
import { formatWeights, parseWeights, WEIGHTS_FORMS, type WeightsWord } from "./weights-argument.ts";

/** Values of the flags below; absent ones take the defaults. */
export type NetworkOptions = {
  readonly adapter?: AdapterSettings;
  readonly rounds?: number;
  readonly localSteps?: number;
  readonly lambda?: LambdaRule;
  readonly aggregation?: AggregationRule;
  readonly neighbourWeights?: WeightsWord;
  readonly sample?: number;
  readonly learningRate?: number;
  readonly optimizer?: Pick<TrainingSpec, "optimizer" | "momentum">;
  readonly schedule?: LearningRateSchedule;
  readonly accumulate?: number;
  readonly proximal?: number;
  readonly reference?: ReferenceSettings;
  readonly head?: HeadWord;
  readonly batchSize?: number;
  readonly maxTokens?: number;
  readonly encoding?: ValueEncoding;
  readonly topK?: number;
  readonly seed?: number;
};

/** What becomes of a classifier's head. */
const HEAD_WORDS = ["local", "shared", "frozen"] as const;
type HeadWord = (typeof HEAD_WORDS)[number];

/** To be told to whoever makes a network with a shared head; nothing else is worth a word. */
export function headWarning(head: NetworkManifest["head"]): string | undefined {
  if (head !== "shared") return undefined;
  return "the classifier's head is shared: where peers have different shares of the classes, an averaged head is good at none of them; compare own-task accuracy with a local head first";
}

/** What `createNetwork` is told besides the model and the name. */
export interface NetworkSettings
  extends Pick<NetworkManifest, "training" | "rounds" | "aggregation" | "reference" | "seed"> {
  readonly adapter: AdapterSettings;
  readonly encoding: UpdateEncoding;
  readonly head?: NetworkManifest["head"];
}

/** What a new network agrees on where nothing else is said. */
export const NETWORK_DEFAULTS: NetworkSettings = {
  training: MANIFEST_DEFAULTS.training,
  rounds: MANIFEST_DEFAULTS.rounds,
  aggregation: MANIFEST_DEFAULTS.aggregation,
  reference: MANIFEST_DEFAULTS.reference,
  // The published LoReFT recipe edits the first and last 7 prompt positions with a low rank (arXiv:2404.03592).
  adapter: parseAdapter("loreft:r4:f7+l7"),
  encoding: { values: "float16" },
  seed: 0,
};

/** What `weft testnet` agrees on where nothing else is said. */
export const TESTNET_SETTINGS: NetworkSettings = {
  ...NETWORK_DEFAULTS,
  adapter: parseAdapter(TESTNET_DEFAULTS.adapter),
  training: { ...NETWORK_DEFAULTS.training, ...TESTNET_DEFAULTS.training },
  rounds: { ...NETWORK_DEFAULTS.rounds, ...TESTNET_DEFAULTS.rounds },
};

/** The flags, each saying what holds when it is absent. */
export function networkOptions(defaults: NetworkSettings): readonly OptionRow[] {
  const otherwise = absentFlags(defaults);
  return NETWORK_FLAGS.map((row) => ({ ...row, otherwise: otherwise[longName(row)]! }));
}

/** What holds without each flag, in the words that the flag takes where there are such. */
function absentFlags({
  adapter,
  training,
  rounds,
  aggregation,
  reference,
  encoding,
  seed,
}: NetworkSettings): Readonly<Record<string, string>> {
  return {
    adapter: formatAdapter(adapter),
    rounds: String(rounds.count),
    "local-steps": String(rounds.localSteps),
    lambda: formatLambda(aggregation.lambda),
    aggregation: formatAggregation(aggregation),
    "neighbour-weights": formatWeights(aggregation.weights),
    sample: aggregation.sample === undefined ? "all of them" : String(aggregation.sample),
    "learning-rate": String(training.learningRate),
    optimizer: formatOptimizer(training),
    schedule: formatSchedule(training.schedule ?? { kind: "constant", warmupSteps: 0 }),
    "batch-size": String(training.batchSize),
    accumulate: String(training.accumulate ?? 1),
    head: "local",
    reference: formatReference(reference),
    proximal: training.proximal === undefined ? "they are free" : String(training.proximal),
    "max-tokens": `${training.maxTokens}, or the model's context where that is shorter`,
    encoding: `${encoding.values}, or what suits another adapter: int8 for lora and ffa-lora, float32 for tri-lora`,
    "top-k": encoding.topK === undefined ? "every value" : String(encoding.topK.share),
    seed: String(seed),
  };
}

const NETWORK_FLAGS: readonly OptionRow[] = [
  {
    flags: "--adapter <word>",
    text: `what is trained: ${ADAPTER_FORMS}`,
    parse: parseAdapter,
  },
  { flags: "--rounds <count>", text: "rounds of training and exchange", parse: integer(1, 1_000_000) },
  { flags: "--local-steps <count>", text: "optimiser steps per round", parse: integer(1, 1_000_000) },
  {
    flags: "--lambda <rule>",
    text: "how far to go towards the aggregate: adaptive, search, fixed:0.5 or tanh:MAX:KAPPA",
    parse: parseLambda,
  },
  {
    flags: "--aggregation <rule>",
    text: `how the neighbours' adapters are put together: ${AGGREGATION_FORMS}`,
    parse: parseAggregation,
  },
  {
    flags: "--neighbour-weights <word>",
    text: `how neighbours weigh against each other: ${WEIGHTS_FORMS}`,
    parse: parseWeights,
  },
  {
    flags: "--sample <count>",
    text: "neighbours that a peer hears in a round, drawn anew each time",
    parse: integer(1, 1024),
  },
  { flags: "--learning-rate <rate>", text: "step size of the optimiser", parse: positive },
  { flags: "--optimizer <word>", text: "adamw, sgd, or sgd with momentum such as sgd:0.9", parse: parseOptimizer },
  {
    flags: "--schedule <word>",
    text: "learning rate over all rounds: constant, linear or cosine, with warm-up steps such as cosine:10",
    parse: parseSchedule,
  },
  { flags: "--batch-size <count>", text: "examples per batch", parse: integer(1, 65_536) },
  { flags: "--accumulate <count>", text: "batches per optimiser step", parse: integer(1, 4096) },
  {
    flags: "--head <word>",
    text: "head of a classifier: local (trained, never sent), shared (averaged with the others'; hurts where peers have different classes) or frozen",
    parse: choice(HEAD_WORDS),
  },
  {
    flags: "--reference <word>",
    text: `the average of a peer's own past rounds that holds its adapter back: ${REFERENCE_FORMS}`,
    parse: parseReference,
  },
  {
    flags: "--proximal <weight>",
    text: "hold local steps to the reference model, with this weight in the loss",
    parse: positive,
  },
  { flags: "--max-tokens <count>", text: "longest example in tokens", parse: integer(2, 1_048_576) },
  {
    flags: "--encoding <word>",
    text: "how values are sent: float32, float16, or int8 with a scale for each row",
    parse: choice(["float32", "float16", "int8"]),
  },
  {
    flags: "--top-k <share>",
    text: `send only this share of the values, those that changed most, and all of them every ${KEYFRAME_EVERY} rounds`,
    parse: shareOf(0.0001, 0.5),
  },
  { flags: "--seed <number>", text: "seed of everything the peers derive alike", parse: integer(0) },
];

/** The flags over their defaults. */
export function networkSettings(options: NetworkOptions, defaults: NetworkSettings): NetworkSettings {
  const { training, rounds, aggregation } = defaults;
  // What another rule leaves standing; the numbers of the default rule are not among it.
  const { scope, stalenessExponent, ageMax } = aggregation;
  const shared = { scope, stalenessExponent, ageMax };
  const adapter = options.adapter ?? defaults.adapter;
  const topK = options.topK === undefined ? undefined : { share: options.topK, keyframeEvery: KEYFRAME_EVERY };
  return {
    adapter,
    encoding: {
      values: options.encoding ?? (options.adapter === undefined ? defaults.encoding.values : defaultValues(adapter)),
      ...(topK !== undefined && { topK }),
    },
    seed: options.seed ?? defaults.seed,
    reference: options.reference ?? defaults.reference,
    ...(options.head !== undefined && options.head !== "local" && { head: options.head }),
    training: {
      ...training,
      ...options.optimizer,
      learningRate: options.learningRate ?? training.learningRate,
      ...(options.schedule !== undefined && { schedule: options.schedule }),
      ...(options.accumulate !== undefined && { accumulate: options.accumulate }),
      ...(options.proximal !== undefined && { proximal: options.proximal }),
      batchSize: options.batchSize ?? training.batchSize,
      maxTokens: options.maxTokens ?? training.maxTokens,
    },
    rounds: {
      ...rounds,
      count: options.rounds ?? rounds.count,
      localSteps: options.localSteps ?? rounds.localSteps,
    },
    aggregation: {
      ...(options.aggregation === undefined ? aggregation : { ...shared, ...options.aggregation }),
      lambda: options.lambda ?? aggregation.lambda,
      ...(typeof options.neighbourWeights === "object" && { weights: options.neighbourWeights }),
      ...(options.sample !== undefined && { sample: options.sample }),
    },
  };
}
