/**
 * The tables of `npm run attack`: runs of what a new network has under every attack, with other numbers of liars, seeds and data
 * under one attack of each sort; the same of single kinds of adapters on the last block; and what single aggregations are made
 * of, which every rule takes part in. A new rule or kind is in them, or is missed by a test.
 */
import { NodeError } from "../../node/errors.ts";
import { MANIFEST_DEFAULTS, type NetworkManifest } from "../../protocol/network-manifest.ts";
import { ADAPTERS } from "../../protocol/settings/adapter-kinds.ts";
import { AGGREGATION } from "../../protocol/settings/aggregation-rules.ts";
import { LAMBDA_RULES } from "../../protocol/settings/lambda-rules.ts";
import { settingsOfWord } from "../../protocol/settings/variant-word.ts";
import type { Attack } from "./attack.ts";
import type { DeclaredMethod, Suite, Table } from "./table.ts";

/** An adapter on the last block, where its steps are quick, and the learning rate of a swarm with it. */
interface Tried {
  readonly word: string;
  readonly rate: number;
}

/**
 * Every kind of adapter. The rates of lora, ffa-lora and loreft are those with the least validation loss of a swarm of five on seed
 * 100 among two or three that were tried; dora has the one
 * of lora; those of the other kinds are guesses from their neighbours.
 */
export const TRIED_KINDS: Readonly<Record<keyof typeof ADAPTERS.kinds, Tried>> = {
  lora: { word: "lora:r4:o_proj,gate_proj,up_proj,down_proj:layers=3", rate: 0.02 },
  dora: { word: "dora:r4:o_proj,gate_proj,up_proj,down_proj:layers=3", rate: 0.02 },
  "ffa-lora": { word: "ffa-lora:r4:o_proj,gate_proj,up_proj,down_proj:layers=3", rate: 0.05 },
  "tri-lora": { word: "tri-lora:r8:o_proj,gate_proj,up_proj,down_proj:layers=3", rate: 0.1 },
  loreft: { word: "loreft:r4:all:layers=3", rate: 0.02 },
  direft: { word: "direft:r4:all:layers=3", rate: 0.02 },
  noreft: { word: "noreft:r4:all:layers=3", rate: 0.02 },
  nodireft: { word: "nodireft:r4:all:layers=3", rate: 0.02 },
};

/** Every rule, with the numbers that three liars of ten, or nine of thirty, ask for. */
export const TRIED_RULES = [
  "geometric-median",
  "mean",
  "median",
  "trimmed-mean:0.34",
  "krum:3",
  "multi-krum:3",
  "centred-clipping:1",
  "clipped-gossip:1",
  "vetted-mean",
  "vetted-mean:0",
  "mean:norm-clip",
  "geometric-median:norm-clip",
  "mean:product",
] as const;

/**
 * The rules that are compared under the shipped lambda: the shipped one, the same one without tries on held-out data, the one
 * before them, and the best one against far lies.
 */
const COMPARED = ["vetted-mean", "vetted-mean:0", "geometric-median", "multi-krum:3"] as const;
/** One attack of each sort: far, back towards the start, on false data, as a copy, and what passes for honest, by values and by losses. */
const MAIN: readonly Attack[] = ["inner-product", "label-flip", "hinder", "undo", "sign-flip", "mirror"];
/** The kind of adapter by which rules are compared. */
const KIND = "lora";
/** The shipped rule in half as many groups, so that of nine neighbours two are tried together. */
const FEWER_TRIES = "vetted-mean:8";
/** All of MAIN, and one that hides in the honest peers' spread and one that is no update. */
const MOST: readonly Attack[] = [...MAIN, "alie", "nan"];
/**
 * What a new network has where nobody chooses anything: `withShipped` fills in the recipe's adapter, rate and schedule, and the
 * manifest's defaults.
 */
const SHIPPED = "shipped";
/** The rule of a new network. */
const RULE = MANIFEST_DEFAULTS.aggregation.rule;

/** The order in which they are run: the run that all are compared with, then what is likeliest to do harm. */
export const ATTACK_ORDER: readonly Attack[] = [
  "silent",
  "sign-flip",
  "alie",
  "inner-product",
  "label-flip",
  "hinder",
  "undo",
  "dissensus",
  "float32-max",
  "float16-max",
  "noise",
  "zero",
  "mirror",
  "copy",
  "stale",
  "sign-flip-1",
  "scaling",
  "replay",
  "nan",
];

/** The aggregation of each rule under an even mix. */
export function triedAggregations(): Readonly<Record<string, NetworkManifest["aggregation"]>> {
  const even = { ...MANIFEST_DEFAULTS.aggregation, lambda: settings(LAMBDA_RULES, "0.5") };
  const { rule: _, ...shared } = even;
  return Object.fromEntries(
    // Nobody tries anything in a single aggregation without a judge.
    TRIED_RULES.filter((rule) => rule !== "vetted-mean:0").map((rule) => [
      rule,
      { ...shared, ...settings(AGGREGATION, rule) } as NetworkManifest["aggregation"],
    ]),
  );
}

/** The name of a method in files: `lora-mean-norm-clip`. */
export function methodName(kind: string, rule: string): string {
  return `${kind}-${rule.replaceAll(/[:.]/g, "-")}`;
}

/** The name of training alone with an adapter of this kind. */
export const aloneName = (kind: string): string => `${kind}-alone`;

/** quick: a few seconds' cut of it, which shows that all parts work. */
export function robustnessTable({ quick = false } = {}): Table {
  const kinds = Object.keys(TRIED_KINDS) as (keyof typeof TRIED_KINDS)[];
  const methods = [
    ...kinds.flatMap((kind) => [alone(kind), method(kind, RULE)]),
    ...TRIED_RULES.filter((rule) => rule !== RULE).map((rule) => method(KIND, rule)),
    method(KIND, FEWER_TRIES),
    method("tri-lora", FEWER_TRIES),
    ...SHIPPED_METHODS,
  ];
  const suites = quick
    ? [suite("quick", "A quick look", { methods: LORA, ...QUICK })]
    : [...shippedSuites(), ...loraSuites(), ...otherKinds()];
  return { methods, suites, reasons: {} };
}

const LORA = [aloneName(KIND), methodName(KIND, RULE)];
const UNEQUAL: Suite["splits"] = [{ kind: "dirichlet", alpha: 0.5 }];

/** Alone and together; the adapter comes from the recipe, which knows the model. */
const SHIPPED_METHODS = (
  [
    { name: aloneName(SHIPPED), title: "what a new network has, alone", exchange: "none", shipped: true },
    { name: SHIPPED, title: "what a new network has", exchange: "others", shipped: true },
    {
      name: methodName(SHIPPED, FEWER_TRIES),
      title: `what a new network has, with ${FEWER_TRIES}`,
      exchange: "others",
      shipped: true,
      aggregation: settings(AGGREGATION, FEWER_TRIES),
    },
  ] satisfies Omit<DeclaredMethod, "adapter">[]
).map((method) => method as DeclaredMethod);

const IN_GROUPS: Partial<Suite> = {
  methods: [aloneName(SHIPPED), methodName(SHIPPED, FEWER_TRIES)],
  attacks: ["none", "silent", "hinder", "undo"],
};

function shippedSuite(name: string, title: string, over: Partial<Suite>): Suite {
  return suite(name, `What a new network has, ${title}`, {
    methods: [aloneName(SHIPPED), SHIPPED],
    attacks: ["none", "silent", ...MOST],
    ...over,
  });
}

/** The groups of a new network. */
function shippedSuites(): Suite[] {
  return [
    shippedSuite("shipped", "two liars of ten", { attacks: ["none", ...ATTACK_ORDER] }),
    shippedSuite("shipped-three", "three liars of ten", { liars: [3] }),
    shippedSuite("shipped-most", "more liars than honest peers", { liars: [6] }),
    shippedSuite("shipped-seed", "another seed", { seeds: [2] }),
    shippedSuite("shipped-unequal", "unequal data (Dirichlet 0.5)", { splits: UNEQUAL }),
    shippedSuite("shipped-tries", "two neighbours tried together", IN_GROUPS),
    shippedSuite("shipped-tries-seed", "two neighbours tried together, another seed", {
      ...IN_GROUPS,
      seeds: [2],
    }),
    shippedSuite("shipped-unequal-tries", "two neighbours tried together, unequal data (Dirichlet 0.5)", {
      ...IN_GROUPS,
      splits: UNEQUAL,
    }),
  ];
}

function loraSuite(name: string, title: string, over: Partial<Suite>): Suite {
  return suite(name, `LoRA, ${title}`, { methods: LORA, attacks: ["none", "silent", ...MAIN], ...over });
}

/** What passes the looks at values, or comes near to it. */
const NEAR: readonly Attack[] = ["inner-product", "label-flip", "hinder", "undo"];
/** Thirty peers share the embedded tasks' records: there are not 64 test records for each. */
const THIRTY: Partial<Suite> = {
  attacks: ["none", "silent", ...NEAR],
  peers: [30],
  sizes: { train: 32, validation: 32, test: 48 },
};

/** LoRA on the last block: all numbers of liars, and every rule that is compared. */
function loraSuites(): Suite[] {
  return [
    suite("lora", "LoRA, two liars of ten", { methods: LORA }),
    suite("compared", "LoRA under other rules, two liars of ten", {
      methods: [aloneName(KIND), ...COMPARED.map((rule) => methodName(KIND, rule))],
      attacks: ["none", "silent", ...MAIN],
    }),
    loraSuite("counts", "three liars of ten", { liars: [3] }),
    loraSuite("most", "more liars than honest peers", { liars: [6] }),
    loraSuite("seed", "another seed", { seeds: [2] }),
    loraSuite("unequal", "unequal data (Dirichlet 0.5)", { attacks: ["none", "silent", ...NEAR], splits: UNEQUAL }),
    loraSuite("unequal-tries", "unequal data (Dirichlet 0.5), two neighbours tried together", {
      methods: [aloneName(KIND), methodName(KIND, FEWER_TRIES)],
      attacks: ["none", "silent", "label-flip", "hinder", "undo"],
      splits: UNEQUAL,
    }),
    loraSuite("thirty-nine", "nine liars of thirty", { ...THIRTY, liars: [9] }),
    loraSuite("thirty", "six liars of thirty", { ...THIRTY, liars: [6] }),
  ];
}

function otherKinds(): Suite[] {
  return [
    suite("loreft", "LoReFT, two liars of ten, more local steps", {
      ...longer("loreft"),
      learningRates: LOREFT_RATES,
    }),
    suite("tri-lora", "Tri-LoRA, two liars of ten, more local steps", longer("tri-lora")),
    suite("tri-lora-tries", "Tri-LoRA, two neighbours tried together", {
      ...longer("tri-lora", FEWER_TRIES),
      attacks: ["none", "silent", "hinder", "undo"],
    }),
  ];
}

/** The rate that a new network has for loreft; with the one of the single aggregations 24 local steps make half of the difference. */
const LOREFT_RATES: Suite["learningRates"] = {
  [aloneName("loreft")]: [0.03],
  [methodName("loreft", RULE)]: [0.03],
};

/**
 * Suites of kinds that six local steps a round teach too little for a swarm to be ahead: with 24, three times as often through the
 * data, four peers end 0.42 (loreft) and 0.19 (tri-lora) nats ahead of those that train alone.
 */
function longer(kind: keyof typeof TRIED_KINDS, rule: string = RULE): Partial<Suite> & Pick<Suite, "methods"> {
  return {
    methods: [aloneName(kind), methodName(kind, rule)],
    attacks: ["none", "silent", "sign-flip", "inner-product", "label-flip", "hinder", "undo"],
    localSteps: 24,
    cells: "longer",
  };
}

const QUICK: Partial<Suite> = {
  peers: [4],
  liars: [1],
  attacks: ["none", "silent", "sign-flip", "float16-max"],
  sizes: { train: 8, validation: 8, test: 8 },
  rounds: 3,
  localSteps: 2,
  lookEvery: 3,
};

function suite(name: string, title: string, over: Partial<Suite> & Pick<Suite, "methods">): Suite {
  return {
    name,
    title,
    // Suites ask for many cells that others ask for too.
    cells: "swarm",
    data: "tasks",
    base: "embedded",
    sizes: { train: 32, validation: 32, test: 64 },
    splits: [{ kind: "iid" }],
    peers: [10],
    seeds: [1],
    attacks: ["none", ...ATTACK_ORDER],
    liars: [2],
    rounds: 6,
    localSteps: 6,
    lookEvery: 6,
    scoresOthers: false,
    training: { batchSize: 4, maxTokens: 40, schedule: { kind: "linear", warmupSteps: 5 } },
    ...over,
  };
}

function alone(kind: keyof typeof TRIED_KINDS): DeclaredMethod {
  return { ...common(kind), name: aloneName(kind), title: `${kind}, alone`, exchange: "none" };
}

/** A rule with one kind of adapter, and the shipped rule for lambda. */
function method(kind: keyof typeof TRIED_KINDS, rule: string): DeclaredMethod {
  const name = methodName(kind, rule);
  return {
    ...common(kind),
    name,
    title: `${kind}, ${rule}`,
    exchange: "others",
    aggregation: settings(AGGREGATION, rule),
  };
}

function common(kind: keyof typeof TRIED_KINDS): Pick<DeclaredMethod, "adapter" | "learningRates"> {
  const { word, rate } = TRIED_KINDS[kind];
  return { adapter: settings(ADAPTERS, word), learningRates: [rate] };
}

/** Throws: NodeError CONFIG_INVALID where the word is none of the settings'. */
function settings<All extends Parameters<typeof settingsOfWord>[0]>(all: All, word: string) {
  const reading = settingsOfWord(all, word);
  if ("value" in reading) return reading.value;
  throw new NodeError("CONFIG_INVALID", `"${word}": ${reading.problem}`, { word });
}
