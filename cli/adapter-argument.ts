/**
 * An adapter in one word: `loreft:r4:f7+l7` or `lora:r8:q_proj,v_proj`, with optional parts after a colon each, or two
 * of them joined by a plus sign.
 */
import { NodeError } from "../node/errors.ts";
import type {
  AdapterLayers,
  AdapterSettings,
  LowRankSettings,
  ReftPositions,
  ReftSettings,
  TriLoraSettings,
} from "../protocol/adapter-spec.ts";
import { closestName } from "../protocol/closest-name.ts";

/** For help texts: the words that `parseAdapter` reads. */
export const ADAPTER_FORMS =
  "loreft:r4:f7+l7[:tied][:frozen][:layers=0,2] (or noreft, direft, nodireft; :all for every position), " +
  "lora:r8:q_proj,v_proj[:alpha16][:rslora][:dropout0.1][:layers=0,2] (or ffa-lora, tri-lora[:personal]), " +
  "or one of each joined by +";

const REFT_KINDS = ["loreft", "direft", "noreft", "nodireft"] as const;
const LOW_RANK_KINDS = ["lora", "ffa-lora", "tri-lora"] as const;
const KINDS = [...LOW_RANK_KINDS, ...REFT_KINDS];
type ReftKind = (typeof REFT_KINDS)[number];
type Kind = (typeof KINDS)[number];

/** A plus sign joins two adapters where a kind and a colon follow; `f7+l7` stays whole. */
const JOINT = /\+(?=[a-z-]*[a-z]:)/;

/**
 * The settings that a word such as `loreft:r4:f7+l7` or `lora:r8:q_proj,v_proj:alpha16` stands for. Absent parts: all
 * layers; untied positions; a trained rotation; a shared basis; no dropout; alpha twice the rank, so that the product
 * B A x is scaled by 2 whatever the rank.
 * Throws: NodeError ADAPTER_SETTINGS, naming the part that is wrong.
 */
export function parseAdapter(word: string): AdapterSettings {
  const sides = word.split(JOINT).map(parseOne);
  if (sides.length === 1) return sides[0]!;
  const lora = sides.find(isLowRank);
  const reft = sides.find((side) => !isLowRank(side));
  if (sides.length > 2 || !lora || !reft || isLowRank(reft)) {
    throw refusal(word, "a combination is one LoRA kind and one ReFT kind", "write lora:r8:q_proj+loreft:r4:f7+l7");
  }
  return { kind: "combination", lora, reft };
}

/** The word for settings; `parseAdapter` of it gives them back, without what is the default anyway. */
export function formatAdapter(settings: AdapterSettings): string {
  if (settings.kind === "combination") return `${formatAdapter(settings.lora)}+${formatAdapter(settings.reft)}`;
  const layers = settings.layers === "all" ? "" : `:layers=${settings.layers.join(",")}`;
  if (isLowRank(settings)) {
    const { kind, rank, targets, alpha, scale, dropout } = settings;
    const options = [
      ...(scale === "rslora" ? [":rslora"] : []),
      ...(dropout ? [`:dropout${dropout}`] : []),
      ...(kind === "tri-lora" && settings.basis === "personal" ? [":personal"] : []),
    ].join("");
    return `${kind}:r${rank}:${targets.join(",")}:alpha${alpha}${options}${layers}`;
  }
  const { kind, rank, positions } = settings;
  const where = positions === "all" ? "all" : `f${positions.first}+l${positions.last}${positions.tied ? ":tied" : ""}`;
  const frozen = "rotation" in settings && settings.rotation === "frozen" ? ":frozen" : "";
  return `${kind}:r${rank}:${where}${frozen}${layers}`;
}

/** The positions of a ReFT adapter by themselves, such as `f7+l7` or `all`.  Throws: NodeError ADAPTER_SETTINGS. */
export function parsePromptPositions(word: string): "all" | { readonly first: number; readonly last: number } {
  const positions = parsePositions(word, word, false);
  return positions === "all" ? "all" : { first: positions.first, last: positions.last };
}

function parseOne(word: string): LowRankSettings | ReftSettings {
  const [kind = "", ...parts] = word.split(":");
  if (!isOneOf(KINDS, kind)) {
    const near = closestName(kind, KINDS);
    throw refusal(word, `"${kind}" is no kind of adapter`, near ? `did you mean ${near}?` : `write ${ADAPTER_FORMS}`);
  }
  const rank = parseRank(word, parts[0]);
  const rest = parts.slice(1);
  return isOneOf(REFT_KINDS, kind) ? parseReft(word, kind, rank, rest) : parseLowRank(word, kind, rank, rest);
}

function parseReft(word: string, kind: ReftKind, rank: number, parts: readonly string[]): ReftSettings {
  const [where = "", ...options] = parts;
  const hasRotation = kind === "loreft" || kind === "direft";
  const known = [...(where === "all" ? [] : ["tied"]), ...(hasRotation ? ["frozen"] : [])];
  const given = new Set<string>();
  let layers: AdapterLayers = "all";
  for (const option of options) {
    if (known.includes(option)) given.add(option);
    else layers = parseLayers(word, option, known);
  }
  const positions = parsePositions(word, where, given.has("tied"));
  const fields = { rank, layers, positions };
  return hasRotation && given.has("frozen") ? { kind, ...fields, rotation: "frozen" } : { kind, ...fields };
}

function parsePositions(word: string, part: string, tied: boolean): ReftPositions {
  if (part === "all") return "all";
  const match = /^f(\d+)(?:\+l(\d+))?$|^l(\d+)$/.exec(part);
  if (!match) throw refusal(word, `"${part}" names no prompt positions`, "write f7+l7, f4, l4 or all");
  const first = Number(match[1] ?? 0);
  const last = Number(match[2] ?? match[3] ?? 0);
  if (first + last === 0) throw refusal(word, "no prompt position is left", "write f1+l1 at least");
  return { first, last, tied };
}

function parseLowRank(
  word: string,
  kind: Exclude<Kind, ReftKind>,
  rank: number,
  parts: readonly string[],
): LowRankSettings {
  const [names = "", ...options] = parts;
  const targets = names.split(",");
  if (!targets.every((target) => /^[A-Za-z_][\w.]*$/.test(target))) {
    throw refusal(word, `"${names}" names no linear layers`, "write q_proj,v_proj");
  }
  if (new Set(targets).size < targets.length) {
    throw refusal(word, `"${names}" names a linear layer twice`, "name each once");
  }
  const known = ["alpha", "rslora", "dropout", ...(kind === "tri-lora" ? ["shared", "personal"] : [])];
  let alpha = 2 * rank;
  let dropout = 0;
  let layers: AdapterLayers = "all";
  let scale: "rank" | "rslora" = "rank";
  let basis: TriLoraSettings["basis"] = "shared";
  for (const option of options) {
    const [, name, value] = /^(alpha|dropout)=?(\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(option) ?? [];
    if (name === "alpha") alpha = Number(value);
    else if (name === "dropout") dropout = Number(value);
    else if (option === "rslora") scale = "rslora";
    else if (kind === "tri-lora" && (option === "shared" || option === "personal")) basis = option;
    else layers = parseLayers(word, option, known);
  }
  if (!(alpha > 0 && Number.isFinite(alpha))) throw refusal(word, "alpha is not above 0", "write alpha16");
  if (dropout > 0.95) throw refusal(word, "dropout is above 0.95", "write dropout0.1");
  const fields = {
    rank,
    alpha,
    targets,
    layers,
    ...(scale === "rslora" ? { scale } : {}),
    ...(dropout > 0 ? { dropout } : {}),
  };
  return kind === "tri-lora" ? { kind, ...fields, basis } : { kind, ...fields };
}

function parseRank(word: string, part: string | undefined): number {
  const match = /^r(\d{1,6})$/.exec(part ?? "");
  const rank = Number(match?.[1] ?? 0);
  if (rank < 1) throw refusal(word, `"${part ?? ""}" is no rank`, "write r1 or more, such as r4");
  return rank;
}

function parseLayers(word: string, option: string, others: readonly string[]): AdapterLayers {
  const match = /^layers=(all|\d{1,6}(?:,\d{1,6})*)$/.exec(option);
  if (!match?.[1]) {
    const known = [...others, "layers=all", "layers=0,2"];
    throw refusal(word, `"${option}" is unknown`, `known parts are ${known.join(", ")}`);
  }
  if (match[1] === "all") return "all";
  const layers = match[1].split(",").map(Number);
  if (layers.some((layer, i) => i > 0 && layer <= layers[i - 1]!)) {
    throw refusal(word, `the layers ${match[1]} do not rise`, "list each once, from low to high");
  }
  return layers;
}

const isOneOf = <T extends string>(kinds: readonly T[], kind: string): kind is T =>
  (kinds as readonly string[]).includes(kind);

const isLowRank = (settings: LowRankSettings | ReftSettings): settings is LowRankSettings =>
  isOneOf(LOW_RANK_KINDS, settings.kind);

function refusal(word: string, what: string, todo: string): NodeError {
  return new NodeError("ADAPTER_SETTINGS", `adapter "${word}": ${what}; ${todo}`, { adapter: word });
}
