/**
 * An adapter in one word: `loreft:r4:f7+l7` or `lora:r8:q_proj,v_proj`, with optional parts after a colon each, or two
 * of them joined by a plus sign.
 */
import { NodeError } from "../node/index.ts";
import type { AdapterSettings, LowRankSettings, ReftSettings } from "../protocol/adapter-spec.ts";
import { ADAPTERS, POSITIONS } from "../protocol/settings/adapter-kinds.ts";
import { fieldBounds, valueOfText } from "../protocol/settings/field.ts";
import { wordArgument } from "./word-argument.ts";

const ONE = wordArgument(ADAPTERS, "ADAPTER_SETTINGS");

/** For help texts: the words that `parseAdapter` reads. */
export const ADAPTER_FORMS = `${ONE.forms}, or one of each joined by +`;

/** A plus sign joins two adapters where a kind and a colon follow; `f7+l7` stays whole. */
const JOINT = /\+(?=[a-z-]*[a-z]:)/;

/**
 * The settings that a word such as `loreft:r4:f7+l7` or `lora:r8:q_proj,v_proj:alpha16` stands for. Absent parts: all
 * layers; untied positions; a trained rotation; a shared basis; no dropout; alpha twice the rank, so that the product
 * B A x is scaled by 2 whatever the rank.
 * Throws: NodeError ADAPTER_SETTINGS, naming the part that is wrong.
 */
export function parseAdapter(word: string): AdapterSettings {
  const sides = word.split(JOINT).map(ONE.parse);
  if (sides.length === 1) return sides[0]!;
  const lora = sides.find(isLowRank);
  const reft = sides.find(isReft);
  if (sides.length > 2 || !lora || !reft) {
    const text = "a combination is one LoRA kind and one ReFT kind; write lora:r8:q_proj+loreft:r4:f7+l7";
    throw new NodeError("ADAPTER_SETTINGS", `adapter "${word}": ${text}`, { adapter: word });
  }
  return { kind: "combination", lora, reft };
}

/** The word for settings; `parseAdapter` of it gives them back, without what is the default anyway. */
export function formatAdapter(settings: AdapterSettings): string {
  if (settings.kind === "combination") return `${formatAdapter(settings.lora)}+${formatAdapter(settings.reft)}`;
  return ONE.format(settings);
}

/** The positions of a ReFT adapter by themselves, such as `f7+l7` or `all`.  Throws: NodeError ADAPTER_SETTINGS. */
export function parsePromptPositions(word: string): "all" | { readonly first: number; readonly last: number } {
  const positions = valueOfText(POSITIONS, word);
  if (positions === undefined) {
    const text = `positions "${word}": write ${fieldBounds(POSITIONS)}`;
    throw new NodeError("ADAPTER_SETTINGS", text, { positions: word });
  }
  return positions === "all" ? "all" : { first: positions.first, last: positions.last };
}

const isLowRank = (settings: LowRankSettings | ReftSettings): settings is LowRankSettings =>
  ADAPTERS.kinds[settings.kind].family === "low-rank";

const isReft = (settings: LowRankSettings | ReftSettings): settings is ReftSettings => !isLowRank(settings);
