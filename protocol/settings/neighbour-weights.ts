/** Every way in which neighbours weigh against each other: the numbers, the word, the sentence and the source. */
import type { FieldTable, RecordOf } from "./field.ts";
import type { SettingsOf, Variant, VariantField } from "./variant.ts";

/** Coldness of a softmax; at 1000 all weights are alike. */
const TEMPERATURE_MAX = 1000;

const TEMPERATURE = {
  type: "number",
  min: 0,
  without: "min",
  max: TEMPERATURE_MAX,
  text: "the temperature of the softmax: the colder, the choosier",
  source: "τ of CE-LoRA, arXiv:2503.23869",
  word: { place: "needed" },
  example: "0.1",
} as const satisfies VariantField;

/** With data sets compared too, every peer sends a sketch of its own once, which tells how often each class occurs. */
const DATA = {
  share: {
    type: "number",
    min: 0,
    without: "min",
    max: 1,
    text: "how much the data sets count in the similarity; the rest is how alike the C are",
    source: "β of CE-LoRA, arXiv:2503.23869",
  },
  temperature: {
    type: "number",
    min: 0,
    without: "min",
    max: TEMPERATURE_MAX,
    text: "t of exp(-D / t), D the distance of two sketches: 0 for equal ones, at most 8",
    source: "this project's own; docs/AGGREGATION.md has distances that were measured",
  },
} as const satisfies FieldTable;

/** The ways by name; all weigh alike where a manifest names none. */
export const NEIGHBOUR_WEIGHTS = {
  tag: "kind",
  what: "weights",
  kinds: {
    samples: {
      text: "by the training examples that each claims to hold",
      source: "McMahan et al. 2017, arXiv:1602.05629",
      fields: {},
    },
    metropolis: {
      text: "1 / (1 + the larger number of neighbours of the two); the rest of the mix is the peer's own",
      source: 'Xiao and Boyd 2004, "Fast linear iterations for distributed averaging"',
      fields: {},
    },
    score: {
      text: "by how much each update alone lowers the peer's own held-out loss; the peer itself counts among them, with 0",
      source: "this project's own; node/round/neighbour-scores.ts",
      fields: {
        temperature: {
          ...TEMPERATURE,
          source: "this project's own; nats per token by which a neighbour must do better to count e times as much",
        },
      },
    },
    similarity: {
      text: "of tri-lora: by how alike the C of the two are, and their data sets if asked for",
      source: "CE-LoRA, arXiv:2503.23869",
      fields: {
        temperature: TEMPERATURE,
        data: {
          type: "record",
          fields: DATA,
          text: "how much the data sets count, and how choosily",
          source: "CE-LoRA, arXiv:2503.23869",
          optional: true,
          word: { plus: "data" },
          example: "0.5:0.3",
        },
        self: {
          type: "mark",
          text: "weigh the peer itself among them, so that one unlike all others stays by itself",
          source: "CE-LoRA, arXiv:2503.23869; node/aggregation/neighbour-weight.ts",
          optional: true,
          word: { words: { self: true } },
        },
      },
    },
  } as const satisfies Readonly<Record<string, Variant>>,
} as const;

/** How neighbours weigh against each other. */
export type NeighbourWeighting = SettingsOf<typeof NEIGHBOUR_WEIGHTS>;

/** How data sets count in that; with it every peer sends a sketch of its own once. */
export type DataSimilaritySettings = RecordOf<typeof DATA>;
