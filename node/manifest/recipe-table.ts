/**
 * Adapter, learning rate and schedule by kind, depth and data: what `npm run bench:recipe` found on shallow models, and what
 * papers give for deep ones. docs/DEFAULTS.md shows the measurement.
 */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";

/** What the examples are: questions with answers, text that runs on, or texts with classes. */
export type DataForm = "answers" | "text" | "classes";

/**
 * The fewest layers of a deep model. The embedded model has 4 and tinystories-656k 2; the models of the papers have 12 (BERT
 * base) and more.
 */
export const DEEP_LAYERS_MIN = 12;

/** Learning rates of AdamW: found here on shallow models, and for deep ones. */
export interface KindRate {
  readonly shallow: number;
  readonly deep: number;
}

type LowRankKind = "lora" | "dora" | "ffa-lora" | "tri-lora";
type ReftKind = "loreft" | "direft" | "noreft" | "nodireft";

/** Of a Tri-LoRA the core has r x r values, and the fewer there are the further each has to go. */
export const TRI_SMALL_RANK_MAX = 16;

/**
 * Deep: `lora` 3e-4 of LLM-Adapters (arXiv:2304.01933) and 9e-4 of LoReFT (arXiv:2404.03592) are published; the other kinds
 * keep the ratio to theirs that they have on shallow models, which is this project's own guess.
 */
export const KIND_RATES: Readonly<Record<LowRankKind | ReftKind | "tri-lora of a small rank", KindRate>> = {
  lora: { shallow: 1e-2, deep: 3e-4 },
  // Not measured here: arXiv:2402.09353 trains it at the rates of LoRA.
  dora: { shallow: 1e-2, deep: 3e-4 },
  "ffa-lora": { shallow: 1e-2, deep: 3e-4 },
  "tri-lora": { shallow: 3e-2, deep: 1e-3 },
  "tri-lora of a small rank": { shallow: 1e-1, deep: 3e-3 },
  loreft: { shallow: 3e-2, deep: 9e-4 },
  direft: { shallow: 3e-2, deep: 9e-4 },
  noreft: { shallow: 1e-2, deep: 9e-4 },
  nodireft: { shallow: 3e-2, deep: 9e-4 },
};

/** Local steps in which the rate rises, at most; a tenth of all where that is fewer. */
export const WARMUP_STEPS_MAX = 10;

/** Every linear layer of a block, in the model's own names; `targets` is filled in by the model. */
const EVERY_LINEAR = { kind: "lora", layers: "all", targets: [] } as const;

/** What is trained where nobody says so. */
export interface RecipeRow {
  /** The row is taken where all of these hold. */
  readonly where: { readonly deep?: boolean; readonly chat?: boolean; readonly form?: readonly DataForm[] };
  readonly adapter: AdapterSettings;
  /** Why, in words that follow "because". */
  readonly because: string;
}

/** The first row that fits is taken; the last one fits everywhere. */
export const RECIPE_ROWS: readonly [RecipeRow, ...RecipeRow[]] = [
  {
    where: { deep: true, chat: true, form: ["answers"] },
    adapter: { kind: "loreft", rank: 4, layers: "all", positions: { first: 7, last: 7, tied: false } },
    because: "a deep model that follows instructions carries an edit of the prompt's ends through the whole answer",
  },
  {
    where: { deep: false, form: ["answers"] },
    adapter: {
      kind: "combination",
      lora: { ...EVERY_LINEAR, rank: 2, alpha: 4 },
      reft: { kind: "loreft", rank: 4, layers: "all", positions: "all" },
    },
    because:
      "a small LoRA and edits at all positions learnt more from each other than either alone, in a third of LoRA's values",
  },
  {
    where: {},
    adapter: { ...EVERY_LINEAR, rank: 8, alpha: 16 },
    because: "LoRA on every linear layer learnt most from text that runs on",
  },
];
