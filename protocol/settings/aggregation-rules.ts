/** Every aggregation rule: its numbers, its word, and its description. The mathematics is in node/aggregation. */
import { LIMITS } from "../limits.ts";
import type { RecordOf } from "./field.ts";
import type { FlaggedTable } from "./flagged.ts";
import type { LambdaRule } from "./lambda-rules.ts";
import type { NeighbourWeighting } from "./neighbour-weights.ts";
import type { SettingsOf, Variant, VariantField } from "./variant.ts";

/** The facts about a rule besides its numbers. */
export interface RuleFacts {
  /** Its result from the x_j with the weights α_j, in the words of protocol/README.md, 2.7. */
  readonly computes: string;
  /** Its numbers there, and the meaning of an absent one. */
  readonly numbers: string;
  /** The fewest neighbours with which it does what its name says. */
  readonly needs: string;
}

/** One rule. */
export type AggregationRuleKind = Variant & RuleFacts;

/** The fields that any rule may have beside its own numbers. */
const EVERY = {
  normClip: {
    type: "mark",
    text: "draw neighbours that are further away than the median one in to that distance first",
    source: "this project's own",
    optional: true,
    word: { words: { "norm-clip": true } },
  },
  factors: {
    type: "choice",
    values: ["product", "aligned"],
    text: "what is averaged of factors: the products of lora, or the C of a personal tri-lora aligned by singular values",
    source: "this project's own; node/aggregation/product-average.ts and core-gauge.ts",
    optional: true,
    word: { words: { product: "product", aligned: "aligned" } },
  },
} as const satisfies Readonly<Record<string, VariantField>>;

const FAULTY = {
  type: "integer",
  min: 1,
  max: LIMITS.headsCountMax,
  text: "the neighbours that may lie, f",
  source: "f of Blanchard et al. 2017, arXiv:1703.02757",
  word: { place: "needed" },
  example: "1",
} as const satisfies VariantField;

const RADIUS = {
  type: "number",
  min: 0,
  without: "min",
  max: 1_000_000,
  text: "the longest way that one neighbour may pull",
  source: "τ of arXiv:2012.10333 and arXiv:2202.01545",
  word: { place: "needed" },
  example: "1",
} as const satisfies VariantField;

/** The rules by name. Another one is an entry here, and its definition in node/aggregation. */
export const AGGREGATION_RULES = {
  mean: {
    text: "the weighted mean",
    source: "McMahan et al. 2017, arXiv:1602.05629",
    fields: { ...EVERY },
    computes: "Σ α_j x_j / Σ α_j",
    numbers: "",
    needs: "1",
  },
  "geometric-median": {
    text: "the point with the least sum of distances",
    source: "Pillutla, Kakade and Harchaoui 2022, arXiv:1912.13445",
    fields: { ...EVERY },
    computes: "argmin_z Σ α_j |z - x_j|; of two their mean",
    numbers: "",
    needs: "1",
  },
  median: {
    text: "the weighted median of every coordinate",
    source: "Yin et al. 2018, arXiv:1803.01498",
    fields: { ...EVERY },
    computes: "median of every coordinate, weighted by α",
    numbers: "",
    needs: "3",
  },
  "trimmed-mean": {
    text: "the mean of every coordinate without its extremes",
    source: "Yin et al. 2018, arXiv:1803.01498",
    fields: {
      trim: {
        type: "number",
        min: 0.001,
        max: 0.499,
        text: "the share of the values that is cut off at either end",
        source: "β of arXiv:1803.01498; half would leave nothing",
        word: { place: "needed" },
        example: "0.2",
      },
      ...EVERY,
    },
    computes: "mean of every coordinate without its ⌊`trim` n⌋ smallest and largest values",
    numbers: "`trim`",
    needs: "the least n that cuts one, and 3",
  },
  krum: {
    text: "the one adapter that has the most company",
    source: "Blanchard et al. 2017, arXiv:1703.02757",
    fields: { faulty: FAULTY, ...EVERY },
    computes: "the x_j with the least Σ |x_j - x_k|² over the n - f - 2 nearest k; of equals the first peer id",
    numbers: "`faulty` = f",
    needs: "2 f + 3",
  },
  "multi-krum": {
    text: "the mean of the adapters that have the most company",
    source: "Blanchard et al. 2017, arXiv:1703.02757, section 4",
    fields: {
      faulty: FAULTY,
      keep: {
        type: "integer",
        min: 1,
        max: LIMITS.headsCountMax,
        text: "the neighbours that are averaged",
        source: "m of arXiv:1703.02757; absent: n - f - 2",
        optional: true,
        word: { place: "optional" },
        example: "3",
      },
      ...EVERY,
    },
    computes: "mean of the `keep` best by that score, at most n - f - 2",
    numbers: "`faulty`, `keep` (absent: n - f - 2)",
    needs: "2 f + 3",
  },
  "centred-clipping": {
    text: "the mean of what is near the coordinate median, the rest drawn in",
    source: "Karimireddy, He and Jaggi 2021, arXiv:2012.10333",
    fields: { radius: RADIUS, ...EVERY },
    computes: "5 steps v + Σ α_j clip(x_j - v) / Σ α_j from v = `median`; clip(d) = d min(1, `radius` / |d|)",
    numbers: "`radius`",
    needs: "3",
  },
  "clipped-gossip": {
    text: "the mean of what is near the peer itself, the rest drawn in",
    source: "He, Karimireddy and Jaggi 2022, arXiv:2202.01545",
    fields: { radius: RADIUS, ...EVERY },
    computes: "one such step from v = the peer's own adapter",
    numbers: "`radius`",
    needs: "1",
  },
  "vetted-mean": {
    text: "the mean of the adapters that are no copies, not far from most, and go where most go",
    source: "this project's own; node/aggregation/vetted-mean.ts",
    fields: {
      tries: {
        type: "integer",
        min: 0,
        max: LIMITS.headsCountMax,
        text: "mixes that a peer tries on its held-out data without some of the neighbours, to leave out those that harm; absent: 16",
        source: "this project's own; node/round/leave-out.ts",
        optional: true,
        word: { place: "optional" },
        example: "8",
      },
      ...EVERY,
    },
    computes:
      "Σ α_j c_j x_j / Σ α_j c_j over whole adapters; c_j is 0 for a copy of the own one, for what is far from most and for what does not go where most go, else 1 / (the copies of j)",
    numbers:
      "`tries` (absent: 16): a peer with held-out data parts the neighbours that count into at most so many groups, and leaves out those without which its own even mix is better there",
    needs: "1",
  },
} as const satisfies Readonly<Record<string, AggregationRuleKind>>;

/** A rule with its numbers, in one word: `median`, `trimmed-mean:0.2`, `multi-krum:1:3:norm-clip`. */
export const AGGREGATION = { tag: "rule", what: "aggregation", kinds: AGGREGATION_RULES } as const;

/** The fields that every rule shares: the tensors to put together, and the neighbours to hear. */
export const AGGREGATION_FIELDS = {
  scope: {
    type: "choice",
    values: ["tensor", "global"],
    text: "aggregate tensor by tensor, or the whole vector as one point",
    source: "this project's own: rows of a rotation have norm 1 and would dominate a common point",
  },
  stalenessExponent: {
    type: "number",
    min: 0,
    max: 10,
    text: "an update that is a rounds old weighs (a + 1) to the power of minus this",
    source: "Xie et al. 2019, arXiv:1903.03934",
  },
  ageMax: {
    type: "integer",
    min: 0,
    max: LIMITS.roundCountMax,
    text: "updates older than so many rounds are left out",
    source: "this project's own; at most as many as there may be rounds",
  },
  sample: {
    type: "integer",
    min: 1,
    max: LIMITS.headsCountMax,
    text: "neighbours that a peer hears in a round, drawn anew each time",
    source: "protocol/neighbour-sample.ts",
    optional: true,
    flag: "sample",
    otherwise: "all of them",
  },
  momentum: {
    type: "number",
    min: 0,
    without: "min",
    max: 1,
    text: "how much of what the aggregate moved by since the last round is added to it once more",
    source: "b of z_t + b (z_t - z_(t-1)); Polyak 1964, node/aggregation/momentum.ts",
    optional: true,
    flag: "aggregateMomentum",
    otherwise: "none",
  },
} as const satisfies FlaggedTable;

/** The rule by which neighbours' adapters are put together, with the numbers of that rule. */
export type RuleSettings = SettingsOf<typeof AGGREGATION>;

interface AggregationShared extends RecordOf<typeof AGGREGATION_FIELDS> {
  readonly lambda: LambdaRule;
  /** How neighbours weigh against each other, staleness apart; all alike when absent. */
  readonly weights?: NeighbourWeighting;
}

/** A rule, with the fields that every rule shares. */
export type AggregationSettings = RuleSettings & AggregationShared;
