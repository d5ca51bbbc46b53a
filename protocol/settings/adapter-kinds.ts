/** Every kind of adapter: its allowed settings, the word that says them, and the facts about it that need no running peer. */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import type { FormBounds } from "./field.ts";
import { distinct, integer, list, object, text } from "./field-schema.ts";
import type { Mark, Variant, VariantField } from "./variant.ts";

/** Layers an adapter is attached to, counted from 0 at the embedding: all of them, or the listed ones in rising order. */
export type AdapterLayers = "all" | readonly number[];

/** Every position of the sequence, generated ones included; or chosen prompt positions. */
export type ReftPositions =
  | "all"
  | {
      readonly first: number;
      readonly last: number;
      /** true: one intervention serves both prefix and suffix; false: one each. */
      readonly tied: boolean;
    };

/** The average of adapters of a kind, in one of its forms. */
export interface AverageFact {
  /** The form, behind the kind's name, such as `with a frozen rotation`; empty where there is one only. */
  readonly form: string;
  readonly of: string;
  readonly is: string;
}

/** The facts about a kind besides its settings. */
export interface AdapterFacts {
  /** The part of the model that it changes: linear layers, by products beside them, or the residual stream. */
  readonly family: "low-rank" | "reft";
  /** The edit, in the letters of protocol/README.md, 2.5. */
  readonly edit: string;
  /** The tensors that travel, per site, and those that every peer derives from the network's seed. */
  readonly sent: string;
  readonly derived: string;
  /** The meaning of absent optional fields. */
  readonly absent: string;
  readonly averages: readonly AverageFact[];
  /**
   * Whether a trained rotation turns the edit's own coordinates (node/aggregation/gauge.ts), and whether the edit is made of
   * W - R, so that W follows R.
   */
  readonly gauge: "none" | "rotation" | "relative-rotation";
  /** How its values are sent in a new network where nobody says otherwise; see node/manifest/default-encoding.ts. */
  readonly values: "float32" | "float16" | "int8";
  /** Its form in PEFT, pyreft and a merged model. */
  readonly elsewhere: { readonly peft: string; readonly pyreft: string; readonly merged: string };
  /** Adapters of the kind whose bytes docs/TRAFFIC.md counts. */
  readonly counted: readonly string[];
}

/** One kind of adapter. */
export type AdapterKind = Variant & AdapterFacts;

const POSITION_MAX = 4096;

const layers = {
  type: "form",
  bounds: `"all" or a rising list of 1 to ${LIMITS.layerCountMax} layer numbers`,
  schema: z.custom<AdapterLayers>(
    (value) => value === "all" || isRisingList(value),
    `must be "all" or a rising list of 1 to ${LIMITS.layerCountMax} layer numbers`,
  ),
  parse: (word: string): AdapterLayers | undefined =>
    word === "all" ? "all" : /^\d{1,6}(,\d{1,6})*$/.test(word) ? word.split(",").map(Number) : undefined,
  print: (value: AdapterLayers): string => (value === "all" ? value : value.join(",")),
} as const satisfies FormBounds;

function isRisingList(value: unknown): boolean {
  if (!Array.isArray(value) || value.length < 1 || value.length > LIMITS.layerCountMax) return false;
  return value.every(
    (n, i) => Number.isInteger(n) && n >= (i === 0 ? 0 : value[i - 1] + 1) && n <= LIMITS.layerCountMax,
  );
}

/** Prompt positions in a word, such as `f7+l7`, `f4` or `all`; they are untied. */
const positions = {
  type: "form",
  bounds: `f7+l7, f4, l4 or all, with 1 to ${POSITION_MAX} positions`,
  schema: z.union(
    [
      z.literal("all"),
      object({
        first: integer(0, POSITION_MAX),
        last: integer(0, POSITION_MAX),
        tied: z.boolean("must be true or false"),
      }).refine(({ first, last }) => first + last > 0, "must name at least one position, first or last"),
    ],
    'must be "all" or an object',
  ),
  parse: (word: string): ReftPositions | undefined => {
    if (word === "all") return "all";
    const match = /^f(\d+)(?:\+l(\d+))?$|^l(\d+)$/.exec(word);
    return match ? { first: Number(match[1] ?? 0), last: Number(match[2] ?? match[3] ?? 0), tied: false } : undefined;
  },
  print: (value: ReftPositions): string => (value === "all" ? value : `f${value.first}+l${value.last}`),
} as const satisfies FormBounds;

const tied: Mark<ReftPositions> = {
  word: "tied",
  state: (value) => (value === "all" ? "none" : value.tied ? "marked" : "plain"),
  set: (value) => (value === "all" ? value : { ...value, tied: true }),
};

const targetName = text(new RegExp(`^[!-~]{1,${LIMITS.nameLengthMax}}$`), "a name of printable ASCII without spaces");
const targets = {
  type: "form",
  bounds: `1 to ${LIMITS.targetCountMax} different names such as q_proj,v_proj`,
  schema: list(targetName, { min: 1, max: LIMITS.targetCountMax, what: "names of linear layers" }).refine(
    distinct,
    "must not name a linear layer twice",
  ),
  parse: (word: string): readonly string[] | undefined => {
    const names = word.split(",");
    return names.every((name) => /^[A-Za-z_][\w.]*$/.test(name)) ? names : undefined;
  },
  print: (value: readonly string[]): string => value.join(","),
} as const satisfies FormBounds;

const RANK = {
  type: "integer",
  min: 1,
  max: LIMITS.adapterRankMax,
  text: "the rank",
  source: "r of arXiv:2106.09685 and arXiv:2404.03592; the bound is LIMITS.adapterRankMax",
  word: { place: "needed", prefix: "r" },
} as const satisfies VariantField;

const LAYERS = {
  ...layers,
  text: "the layers that are changed, counted from 0",
  source: "section 2.1 of protocol/README.md",
  word: { name: "layers=" },
  initial: "all",
  example: "0,2",
} as const satisfies VariantField;

const INTERVENTION = {
  rank: { ...RANK, example: "4" },
  layers: LAYERS,
  positions: {
    ...positions,
    text: "the prompt positions that are edited",
    source: "arXiv:2404.03592, section 3.2: first and last positions, tied or not",
    word: { place: "needed" },
    mark: tied,
    example: "f7+l7",
  },
} as const satisfies Readonly<Record<string, VariantField>>;

const ROTATED = {
  ...INTERVENTION,
  rotation: {
    type: "choice",
    values: ["trained", "frozen"],
    text: "whether R is trained, or stays as the network's seed has it",
    source: "this project's own: a frozen R is equal on all peers, so that averages are exact",
    optional: true,
    word: { words: { frozen: "frozen" } },
  },
} as const satisfies Readonly<Record<string, VariantField>>;

const LOW_RANK = {
  rank: { ...RANK, example: "8" },
  alpha: {
    type: "number",
    min: 0,
    without: "min",
    max: 65_536,
    text: "the scale of the product, times the rank",
    source: "lora_alpha of arXiv:2106.09685; twice the rank scales the product by 2 whatever the rank",
    word: { name: "alpha" },
    initialOf: ({ rank }: Readonly<Record<string, number>>): number => 2 * (rank ?? 0),
    example: "16",
  },
  scale: {
    type: "choice",
    values: ["rank", "rslora"],
    text: "whether alpha is divided by the rank or by its square root",
    source: "Kalajdzievski 2023, arXiv:2312.03732",
    optional: true,
    word: { words: { rslora: "rslora" } },
  },
  dropout: {
    type: "number",
    min: 0,
    max: 0.95,
    text: "the probability with which a value of the input is dropped while training",
    source: "lora_dropout of PEFT",
    optional: true,
    word: { name: "dropout" },
    initial: 0,
    example: "0.1",
  },
  targets: {
    ...targets,
    text: "the linear layers, by the last part of their paths",
    source: "target_modules of PEFT",
    word: { place: "needed" },
    example: "q_proj,v_proj",
  },
  layers: LAYERS,
} as const satisfies Readonly<Record<string, VariantField>>;

const LORA_BIAS = {
  type: "choice",
  values: ["none", "trained"],
  text: "whether a bias stands behind B, s (B A x + b)",
  source: "lora_bias of PEFT",
  optional: true,
  word: { words: { bias: "trained" } },
} as const satisfies VariantField;

const BASIS = {
  type: "choice",
  values: ["shared", "personal"],
  text: "whether all peers have one A and B, or each trains its own",
  source: "personal: CE-LoRA, arXiv:2503.23869; shared: this project's own",
  word: { words: { shared: "shared", personal: "personal" } },
  initial: "shared",
} as const satisfies VariantField;

const LOW_RANK_ORDER = ["rank", "targets", "alpha", "scale", "dropout", "layers"] as const;
const SAME = "the average of the edits, exactly";
const ROTATION = [
  { form: "with a frozen rotation", of: "W, b; R is the same everywhere", is: SAME },
  {
    form: "with a trained rotation",
    of: "R, W, b in the peer's own gauge",
    is: "near the average of the edits, while the rotations are near each other; one function in two gauges averages to itself",
  },
] as const;
const SCALE_AND_DROPOUT = '`scale`: "rank", `dropout`: 0';
const ROTATED_FACTS = {
  fields: ROTATED,
  order: ["rank", "positions", "rotation", "layers"],
  family: "reft",
  sent: "R [r, d], W [r, d], b [r]",
  derived: 'R when `rotation` is "frozen"',
  absent: '`rotation`: "trained"',
  averages: ROTATION,
  values: "float16",
} as const;
const FREE_FACTS = {
  fields: INTERVENTION,
  order: ["rank", "positions", "layers"],
  family: "reft",
  sent: "W1 [r, d], W2 [r, d], b [r]",
  derived: "",
  absent: "",
  averages: [{ form: "", of: "W1, W2 and b by themselves", is: "not the average of the edits" }],
  gauge: "none",
  values: "float16",
  elsewhere: {
    peft: "no",
    pyreft: "no: pyreft saves the kind but does not load it again (its loader gives no add_bias)",
    merged: "no",
  },
} as const;

/** The kinds that change linear layers. Another one is an entry here, and its definition in node/adapter. */
export const LOW_RANK_KINDS = {
  lora: {
    text: "a product of low rank beside linear layers",
    source: "Hu et al. 2021, arXiv:2106.09685",
    fields: { ...LOW_RANK, bias: LORA_BIAS },
    order: ["rank", "targets", "alpha", "scale", "dropout", "bias", "layers"],
    family: "low-rank",
    edit: "y + s B A x; with `bias` y + s (B A x + b)",
    sent: "A [r, in], B [out, r]; with `bias` b [out]",
    derived: "",
    absent: `${SCALE_AND_DROPOUT}, \`bias\`: "none"`,
    averages: [
      {
        form: "with the rule `mean:product`",
        of: "B A",
        is: "the average of the edits, cut to rank r: the nearest there is of that rank",
      },
      { form: "", of: "A and B by themselves", is: "not the average of the products, and it changes with the gauge" },
    ],
    gauge: "none",
    values: "int8",
    elsewhere: { peft: "as it is", pyreft: "no: it changes weights", merged: "yes" },
    counted: [
      "lora:r8:q_proj,v_proj",
      "lora:r8:q_proj,k_proj,v_proj,o_proj",
      "lora:r8:q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj",
    ],
  },
  dora: {
    text: "LoRA in which each row of a matrix has a magnitude of its own beside its direction",
    source: "DoRA, Liu et al. 2024, arXiv:2402.09353",
    fields: LOW_RANK,
    order: LOW_RANK_ORDER,
    family: "low-rank",
    edit: "row by row (|W0| + m) / |W| times x Wᵀ, with W = W0 + s B A",
    sent: "A [r, in], B [out, r], m [out]",
    derived: "",
    absent: SCALE_AND_DROPOUT,
    averages: [
      { form: "", of: "A, B and m by themselves", is: "not the average of the edits, and it changes with the gauge" },
    ],
    gauge: "none",
    values: "float16",
    elsewhere: { peft: "as it is, with the magnitudes", pyreft: "no: it changes weights", merged: "yes" },
    counted: ["dora:r8:q_proj,v_proj"],
  },
  "ffa-lora": {
    text: "LoRA with A frozen, equal on all peers",
    source: "FFA-LoRA, Sun et al. 2024, arXiv:2403.12313",
    fields: LOW_RANK,
    order: LOW_RANK_ORDER,
    family: "low-rank",
    edit: "y + s B A x",
    sent: "B [out, r]",
    derived: "A",
    absent: SCALE_AND_DROPOUT,
    averages: [{ form: "", of: "B; A is the same everywhere", is: SAME }],
    gauge: "none",
    values: "int8",
    elsewhere: { peft: "as LoRA, A from the seed", pyreft: "no: it changes weights", merged: "yes" },
    counted: ["ffa-lora:r8:q_proj,v_proj"],
  },
  "tri-lora": {
    text: "three factors, of which only the small one in the middle is sent",
    source: "CE-LoRA, arXiv:2503.23869",
    fields: { ...LOW_RANK, basis: BASIS },
    order: ["rank", "targets", "alpha", "scale", "dropout", "basis", "layers"],
    family: "low-rank",
    edit: "y + s B C A x",
    sent: "C [r, r]",
    derived: 'A, B when `basis` is "shared"',
    absent: SCALE_AND_DROPOUT,
    averages: [
      { form: "with a shared basis", of: "C; A and B are the same everywhere", is: SAME },
      {
        form: "with a personal basis",
        of: "C; A and B stay with their peer",
        is: "no peer's edit: each C means something else in each basis",
      },
    ],
    gauge: "none",
    values: "float32",
    elsewhere: { peft: "as LoRA with lora_B = B C", pyreft: "no: it changes weights", merged: "yes" },
    counted: ["tri-lora:r8:q_proj,v_proj"],
  },
} as const satisfies Readonly<Record<string, AdapterKind>>;

/** The kinds that edit the residual stream. Another one is an entry here, and its definition in node/adapter. */
export const REFT_KINDS = {
  loreft: {
    ...ROTATED_FACTS,
    text: "an edit of the residual stream towards a learnt target, in a subspace with orthonormal rows",
    source: "LoReFT, Wu et al. 2024, arXiv:2404.03592",
    edit: "h + Rᵀ(W h + b - R h)",
    gauge: "relative-rotation",
    elsewhere: {
      peft: "no: it edits the residual stream at chosen positions",
      pyreft: "as it is, a frozen rotation included",
      merged: "no",
    },
    counted: ["loreft:r4:f7+l7", "loreft:r4:f7+l7:frozen"],
  },
  direft: {
    ...ROTATED_FACTS,
    text: "LoReFT without its term - R h",
    source: "DiReFT, Wu et al. 2024, arXiv:2404.03592",
    edit: "h + Rᵀ(W h + b)",
    gauge: "rotation",
    elsewhere: {
      peft: "no",
      pyreft: "no: pyreft saves the rotation as a d x d product of reflections; train a loreft instead",
      merged: "no",
    },
    counted: ["direft:r4:f7+l7"],
  },
  noreft: {
    ...FREE_FACTS,
    text: "LoReFT with free rows in place of orthonormal ones",
    source: "NoReFT, Wu et al. 2024, arXiv:2404.03592",
    edit: "h + W2ᵀ(W1 h + b - W2 h)",
    counted: ["noreft:r4:f7+l7"],
  },
  nodireft: {
    ...FREE_FACTS,
    text: "DiReFT with free rows in place of orthonormal ones",
    source: "NoDiReFT, Wu et al. 2024, arXiv:2404.03592",
    edit: "h + W2ᵀ(W1 h + b)",
    counted: ["nodireft:r4:f7+l7"],
  },
} as const satisfies Readonly<Record<string, AdapterKind>>;

/** The settings of one word without a plus sign between kinds. */
export const ADAPTERS = { tag: "kind", what: "adapter", kinds: { ...LOW_RANK_KINDS, ...REFT_KINDS } } as const;
/** One that changes linear layers. */
export const LOW_RANK_ADAPTERS = { tag: "kind", what: "adapter", kinds: LOW_RANK_KINDS } as const;
/** One that edits the residual stream. */
export const REFT_ADAPTERS = { tag: "kind", what: "adapter", kinds: REFT_KINDS } as const;

/** Positions by themselves, such as `f7+l7`; undefined where the text names none. */
export const POSITIONS = INTERVENTION.positions;
