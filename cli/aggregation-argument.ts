/** How neighbours' adapters are put together, in one word: `median`, `trimmed-mean:0.2`, `multi-krum:1:3:norm-clip`. */
import { NodeError } from "../node/errors.ts";
import { closestName } from "../protocol/closest-name.ts";
import type { AggregationSettings } from "../protocol/network-manifest.ts";

/** The part of the manifest's aggregation that the word stands for. */
export type AggregationRule = Pick<
  AggregationSettings,
  "rule" | "trim" | "faulty" | "keep" | "radius" | "normClip" | "factors"
>;

/** For help texts: the words that `parseAggregation` reads. */
export const AGGREGATION_FORMS =
  "geometric-median, mean, median, trimmed-mean:0.2, krum:1, multi-krum:1[:3], centred-clipping:1, clipped-gossip:1, " +
  "each with :norm-clip or without; mean:product for lora, any rule with :aligned for tri-lora on a personal basis";

type Field = "trim" | "faulty" | "keep" | "radius";

/** The numbers of each rule in the order of the word, those that may be left out at the end. */
const NUMBERS: Readonly<Record<AggregationSettings["rule"], { needed: readonly Field[]; optional?: Field }>> = {
  "geometric-median": { needed: [] },
  mean: { needed: [] },
  median: { needed: [] },
  "trimmed-mean": { needed: ["trim"] },
  krum: { needed: ["faulty"] },
  "multi-krum": { needed: ["faulty"], optional: "keep" },
  "centred-clipping": { needed: ["radius"] },
  "clipped-gossip": { needed: ["radius"] },
};
const RULES = Object.keys(NUMBERS) as AggregationSettings["rule"][];

const FIELDS: Readonly<Record<Field, { readonly what: string; readonly fits: (value: number) => boolean }>> = {
  trim: { what: "a share from 0.001 to 0.499 to cut off", fits: (value) => value >= 0.001 && value <= 0.499 },
  faulty: { what: "the neighbours that may lie, 1 to 1024", fits: isCount },
  keep: { what: "the neighbours to average, 1 to 1024", fits: isCount },
  radius: { what: "a radius above 0 and at most 1000000", fits: (value) => value > 0 && value <= 1_000_000 },
};

/** The rule that a word stands for.  Throws: NodeError CONFIG_INVALID, naming the part that is wrong. */
export function parseAggregation(word: string): AggregationRule {
  const [name = "", ...parts] = word.split(":");
  const rule = RULES.find((candidate) => candidate === name);
  if (rule === undefined) {
    const near = closestName(name, RULES);
    throw refusal(word, near && near !== name ? `did you mean ${near}?` : "not a rule");
  }
  const last = parts.at(-1);
  const factors = last === "product" || last === "aligned" ? last : undefined;
  const plain = factors === undefined ? parts : parts.slice(0, -1);
  const normClip = plain.at(-1) === "norm-clip";
  const texts = normClip ? plain.slice(0, -1) : plain;
  const { needed, optional } = NUMBERS[rule];
  const fields = optional === undefined ? needed : [...needed, optional];
  const missing = needed[texts.length];
  if (missing !== undefined) throw refusal(word, `${rule} needs ${FIELDS[missing].what}`);
  if (texts.length > fields.length) throw refusal(word, `"${texts[fields.length]}" is one part too many`);
  const numbers = texts.map((text, i) => [fields[i]!, numberOf(word, text, fields[i]!)] as const);
  return { rule, ...Object.fromEntries(numbers), ...(normClip && { normClip }), ...(factors && { factors }) };
}

/** The word for a rule; `parseAggregation` of it gives it back. */
export function formatAggregation(settings: AggregationRule): string {
  const { needed, optional } = NUMBERS[settings.rule];
  const fields = optional === undefined ? needed : [...needed, optional];
  const numbers = fields.map((field) => settings[field]).filter((value) => value !== undefined);
  const { normClip, factors } = settings;
  return [settings.rule, ...numbers, ...(normClip ? ["norm-clip"] : []), ...(factors ? [factors] : [])].join(":");
}

function numberOf(word: string, text: string, field: Field): number {
  const { what, fits } = FIELDS[field];
  const value = Number(text);
  if (text.trim() === "" || !fits(value)) throw refusal(word, `"${text}" is not ${what}`);
  return value;
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 1024;
}

function refusal(word: string, what: string): NodeError {
  return new NodeError("CONFIG_INVALID", `aggregation "${word}": ${what}; write ${AGGREGATION_FORMS}`, {
    aggregation: word,
  });
}
