/** Flags that decide what a network agrees on, and the manifest settings that they stand for. */

import { defaultValues, KEYFRAME_EVERY, type RecipeFacts, recipeAdapter, recipeTraining } from "../node/index.ts";
import type { AdapterSettings } from "../protocol/adapter-spec.ts";
import type { UpdateEncoding } from "../protocol/encoding/update-encoding.ts";
import {
  type LambdaRule,
  type LearningRateSchedule,
  MANIFEST_DEFAULTS,
  type NeighbourWeighting,
  type NetworkManifest,
  type ReferenceSettings,
  type RuleSettings,
} from "../protocol/network-manifest.ts";
import { AGGREGATION_FIELDS } from "../protocol/settings/aggregation-rules.ts";
import { ENCODING, TOP_K } from "../protocol/settings/encoding.ts";
import { type FlaggedTable, type FlagValues, flaggedFields, valuesOfFlags } from "../protocol/settings/flagged.ts";
import { type OPTIMIZERS, ROUNDS, TRAINING } from "../protocol/settings/training.ts";
import type { SettingsOf } from "../protocol/settings/variant.ts";
import { TESTNET_DEFAULTS } from "../testnet/defaults.ts";
import { ADAPTER_FORMS, formatAdapter, parseAdapter } from "./adapter-argument.ts";
import { longName, type OptionRow } from "./command-row.ts";
import { fieldFlag, fieldParser } from "./field-flag.ts";
import { choice, integer } from "./option-value.ts";
import { AGGREGATION_WORD, LAMBDA_WORD, OPTIMIZER_WORD, REFERENCE_WORD, SCHEDULE_WORD } from "./setting-words.ts";
import { formatWeights, parseWeights, WEIGHTS_FORMS, type WeightsWord } from "./weights-argument.ts";

/** Values of the flags below; absent ones take the defaults. */
export type NetworkOptions = FlagValues<typeof TRAINING> &
  FlagValues<typeof ROUNDS> &
  FlagValues<typeof AGGREGATION_FIELDS> &
  FlagValues<typeof ENCODING> & {
    readonly adapter?: AdapterSettings;
    readonly lambda?: LambdaRule;
    readonly aggregation?: RuleSettings;
    readonly neighbourWeights?: WeightsWord;
    readonly optimizer?: SettingsOf<typeof OPTIMIZERS>;
    readonly schedule?: LearningRateSchedule;
    readonly reference?: ReferenceSettings;
    readonly head?: HeadWord;
    readonly topK?: number;
    readonly seed?: number;
  };

/** What becomes of a classifier's head. */
const HEAD_WORDS = ["local", "shared", "frozen"] as const;
type HeadWord = (typeof HEAD_WORDS)[number];

/** To be told to whoever makes a network with a shared head; nothing else is worth a word. */
export function headWarning(
  head: NetworkManifest["head"],
  { logitAdjustment }: Pick<NetworkManifest["training"], "logitAdjustment">,
): string | undefined {
  if (head !== "shared" || logitAdjustment !== undefined) return undefined;
  return "the classifier's head is shared: where peers have different shares of the classes, an averaged head is good at none of them; compare own-task accuracy with a local head first, or adjust logits with --logit-adjustment 1";
}

/** What `createNetwork` is told besides the model and the name. */
export interface NetworkSettings
  extends Pick<NetworkManifest, "training" | "rounds" | "aggregation" | "reference" | "seed"> {
  readonly adapter: AdapterSettings;
  readonly encoding: UpdateEncoding;
  readonly head?: NetworkManifest["head"];
}

/** What the embedded model and its tasks are to the recipe; help texts say what holds for these. */
const EMBEDDED_FACTS: RecipeFacts = {
  layers: 4,
  targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
  chat: false,
  form: "answers",
};

/** What holds where nothing is said and no model is at hand: no rate suits every kind of adapter, and this one is careful. */
export const PLAIN_DEFAULTS: NetworkSettings = {
  training: MANIFEST_DEFAULTS.training,
  rounds: MANIFEST_DEFAULTS.rounds,
  aggregation: MANIFEST_DEFAULTS.aggregation,
  reference: MANIFEST_DEFAULTS.reference,
  adapter: recipeAdapter(EMBEDDED_FACTS).adapter,
  encoding: { values: defaultValues(recipeAdapter(EMBEDDED_FACTS).adapter) },
  seed: 0,
};

/** What a new network of the embedded model agrees on where nothing else is said. */
export const NETWORK_DEFAULTS: NetworkSettings = recipeSettings({}, PLAIN_DEFAULTS, EMBEDDED_FACTS);

/** What `weft testnet` agrees on where nothing else is said. */
export const TESTNET_SETTINGS: NetworkSettings = recipeSettings(
  {},
  { ...PLAIN_DEFAULTS, rounds: { ...PLAIN_DEFAULTS.rounds, ...TESTNET_DEFAULTS.rounds } },
  EMBEDDED_FACTS,
);

/** The flags, each saying what holds when it is absent. */
export function networkOptions(defaults: NetworkSettings): readonly OptionRow[] {
  const otherwise = absentFlags(defaults);
  return NETWORK_FLAGS.map((row) => ({ ...row, otherwise: otherwise[longName(row)]! }));
}

/** What holds without each flag, in the words that the flag takes where there are such. */
function absentFlags(defaults: NetworkSettings): Readonly<Record<string, string>> {
  const { adapter, training, rounds, aggregation, reference, encoding, seed } = defaults;
  return {
    ...absentValues(TRAINING, training),
    ...absentValues(ROUNDS, rounds),
    ...absentValues(AGGREGATION_FIELDS, aggregation),
    adapter: `${formatAdapter(adapter)}, or what suits another model and its data: docs/DEFAULTS.md`,
    "learning-rate": `${training.learningRate}, or what suits another kind of adapter`,
    lambda: LAMBDA_WORD.format(aggregation.lambda),
    aggregation: AGGREGATION_WORD.format(aggregation),
    "neighbour-weights": formatWeights(aggregation.weights),
    optimizer: OPTIMIZER_WORD.format(training),
    schedule: `${SCHEDULE_WORD.format(training.schedule ?? { kind: "constant", warmupSteps: 0 })}, or a shorter warm-up where there are fewer than 100 steps`,
    head: "local, or shared with --logit-adjustment",
    reference: `${REFERENCE_WORD.format(reference)}, or window:4 with --proximal`,
    "max-tokens": `${training.maxTokens}, or the model's context where that is shorter`,
    encoding: `${encoding.values}, or what suits another adapter: int8 for lora and ffa-lora, float32 for tri-lora`,
    "top-k": encoding.topK === undefined ? "every value" : String(encoding.topK.share),
    seed: String(seed),
  };
}

/** Of fields with flags: the value that stands in the settings, or what the field says of its absence. */
function absentValues(table: FlaggedTable, settings: object): Readonly<Record<string, string>> {
  const values = settings as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    flaggedFields(table).map(({ name, field, flag }) => [
      longName(fieldFlag(flag, field)),
      String(values[name] ?? field.otherwise ?? "not set"),
    ]),
  );
}

/** The flags that set one field each. */
const fieldFlags = (table: FlaggedTable): readonly OptionRow[] =>
  flaggedFields(table).map(({ flag, field }) => fieldFlag(flag, field));

const NETWORK_FLAGS: readonly OptionRow[] = [
  {
    flags: "--adapter <word>",
    text: `what is trained: ${ADAPTER_FORMS}`,
    parse: parseAdapter,
  },
  ...fieldFlags(ROUNDS),
  {
    flags: "--lambda <rule>",
    text: `how far to go towards the aggregate: ${LAMBDA_WORD.forms}`,
    parse: LAMBDA_WORD.parse,
  },
  {
    flags: "--aggregation <rule>",
    text: `how the neighbours' adapters are put together: ${AGGREGATION_WORD.forms}; product is for the mean of lora, aligned for tri-lora on a personal basis`,
    parse: AGGREGATION_WORD.parse,
  },
  {
    flags: "--neighbour-weights <word>",
    text: `how neighbours weigh against each other: ${WEIGHTS_FORMS}; similarity is for tri-lora`,
    parse: parseWeights,
  },
  ...fieldFlags(AGGREGATION_FIELDS),
  {
    flags: "--optimizer <word>",
    text: `what makes steps of gradients: ${OPTIMIZER_WORD.forms}`,
    parse: OPTIMIZER_WORD.parse,
  },
  {
    flags: "--schedule <word>",
    text: `learning rate over all rounds, with warm-up steps or without: ${SCHEDULE_WORD.forms}`,
    parse: SCHEDULE_WORD.parse,
  },
  ...fieldFlags(TRAINING),
  {
    flags: "--head <word>",
    text: "head of a classifier: local (trained, never sent), shared (averaged with the others'; hurts where peers have different classes) or frozen",
    parse: choice(HEAD_WORDS),
  },
  {
    flags: "--reference <word>",
    text: `the average of a peer's own past rounds that holds its adapter back: ${REFERENCE_WORD.forms}`,
    parse: REFERENCE_WORD.parse,
  },
  ...fieldFlags(ENCODING),
  {
    flags: "--top-k <share>",
    text: `send only this share of the values, those that changed most, and all of them every ${KEYFRAME_EVERY} rounds`,
    parse: fieldParser(TOP_K.share),
  },
  { flags: "--seed <number>", text: "seed of everything the peers derive alike", parse: integer(0) },
];

/** Similarity without the peer itself cannot personalise: manifests that say so keep it, and new networks do not have it. */
function withSelf(weights: NeighbourWeighting): NeighbourWeighting {
  return weights.kind === "similarity" ? { ...weights, self: true } : weights;
}

/** With logit adjustment a head is shared unless the flags say otherwise: that is what the adjustment is for. */
function headOf({ head, logitAdjustment }: NetworkOptions): Pick<NetworkSettings, "head"> {
  if (head === undefined) return logitAdjustment === undefined ? {} : { head: "shared" };
  return head === "local" ? {} : { head };
}

/** Window of p = 4 and weights l1, l2 of the proximal step: the middle of the range in arXiv:2506.23210. */
const PROXIMAL_REFERENCE = REFERENCE_WORD.parse("window:4");

/** Who asks for a term towards the reference model needs one. */
function referenceOf({ proximal }: NetworkOptions, { reference }: NetworkSettings): ReferenceSettings {
  return proximal !== undefined && reference.kind === "none" ? PROXIMAL_REFERENCE : reference;
}

/** The flags over their defaults. */
export function networkSettings(options: NetworkOptions, defaults: NetworkSettings): NetworkSettings {
  const { training, rounds, aggregation } = defaults;
  // What another rule leaves standing; the numbers of the default rule are not among it.
  const { scope, stalenessExponent, ageMax } = aggregation;
  const shared = { scope, stalenessExponent, ageMax, lambda: options.lambda ?? aggregation.lambda };
  const adapter = options.adapter ?? defaults.adapter;
  const topK = options.topK === undefined ? undefined : { share: options.topK, keyframeEvery: KEYFRAME_EVERY };
  return {
    adapter,
    encoding: {
      values: options.encoding ?? (options.adapter === undefined ? defaults.encoding.values : defaultValues(adapter)),
      ...(topK !== undefined && { topK }),
    },
    seed: options.seed ?? defaults.seed,
    reference: options.reference ?? referenceOf(options, defaults),
    ...headOf(options),
    training: {
      ...training,
      ...options.optimizer,
      ...valuesOfFlags(TRAINING, options),
      ...(options.schedule !== undefined && { schedule: options.schedule }),
    },
    rounds: { ...rounds, ...valuesOfFlags(ROUNDS, options) },
    aggregation: {
      ...(options.aggregation === undefined ? { ...aggregation, ...shared } : { ...shared, ...options.aggregation }),
      ...(typeof options.neighbourWeights === "object" && { weights: withSelf(options.neighbourWeights) }),
      ...valuesOfFlags(AGGREGATION_FIELDS, options),
    },
  };
}

/**
 * The flags over what suits the model and the data: the adapter by these, rate and schedule by the adapter. Gradient descent
 * has no rate of its own in the table, and keeps that of `base`.
 */
export function recipeSettings(
  options: NetworkOptions,
  base: NetworkSettings,
  facts: RecipeFacts,
  /** Local steps in all; those of the rounds when absent. */
  steps?: number,
): NetworkSettings {
  const adapter = options.adapter ?? recipeAdapter(facts).adapter;
  const { count, localSteps } = { ...base.rounds, ...valuesOfFlags(ROUNDS, options) };
  const { learningRate, schedule } = recipeTraining(adapter, {
    layers: facts.layers,
    steps: steps ?? count * localSteps,
  });
  const isAdamW = (options.optimizer ?? base.training).optimizer === "adamw";
  return networkSettings(options, {
    ...base,
    adapter,
    encoding: { ...base.encoding, values: defaultValues(adapter) },
    training: { ...base.training, ...(isAdamW && { learningRate }), ...(schedule && { schedule }) },
  });
}
