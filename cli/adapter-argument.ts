/** An adapter in one word: `loreft:r4:f7+l7` or `lora:r8:q_proj,v_proj`, with optional parts after a colon each. */
import { NodeError } from "../node/errors.ts";
import type { AdapterLayers, AdapterSettings } from "../protocol/adapter-spec.ts";
import { closestName } from "../protocol/closest-name.ts";

const FORMS = "loreft:r4:f7+l7[:tied][:layers=0,2] or lora:r8:q_proj,v_proj[:alpha16][:layers=0,2]";

/**
 * The settings that a word such as `loreft:r4:f7+l7` or `lora:r8:q_proj,v_proj:alpha16` stands for. Absent parts: all
 * layers; untied positions; alpha twice the rank, so that the product B A x is scaled by 2 whatever the rank.
 * Throws: NodeError ADAPTER_SETTINGS, naming the part that is wrong.
 */
export function parseAdapter(word: string): AdapterSettings {
  const [kind = "", ...parts] = word.split(":");
  if (kind !== "loreft" && kind !== "lora") {
    const near = closestName(kind, ["loreft", "lora"]);
    throw refusal(word, `"${kind}" is no kind of adapter`, near ? `did you mean ${near}?` : `write ${FORMS}`);
  }
  const rank = parseRank(word, parts[0]);
  const rest = parts.slice(1);
  return kind === "loreft" ? parseLoreft(word, rank, rest) : parseLora(word, rank, rest);
}

/** The word for settings; `parseAdapter` of it gives them back. */
export function formatAdapter(settings: AdapterSettings): string {
  const layers = settings.layers === "all" ? "" : `:layers=${settings.layers.join(",")}`;
  if (settings.kind === "lora") {
    return `lora:r${settings.rank}:${settings.targets.join(",")}:alpha${settings.alpha}${layers}`;
  }
  const { first, last, tied } = settings.positions;
  return `loreft:r${settings.rank}:f${first}+l${last}${tied ? ":tied" : ""}${layers}`;
}

function parseLoreft(word: string, rank: number, parts: readonly string[]): AdapterSettings {
  const [positions = "", ...options] = parts;
  const match = /^f(\d+)(?:\+l(\d+))?$|^l(\d+)$/.exec(positions);
  if (!match) throw refusal(word, `"${positions}" names no prompt positions`, "write f7+l7, f4 or l4");
  const first = Number(match[1] ?? 0);
  const last = Number(match[2] ?? match[3] ?? 0);
  if (first + last === 0) throw refusal(word, "no prompt position is left", "write f1+l1 at least");
  let tied = false;
  let layers: AdapterLayers = "all";
  for (const option of options) {
    if (option === "tied") tied = true;
    else layers = parseLayers(word, option, ["tied"]);
  }
  return { kind: "loreft", rank, layers, positions: { first, last, tied } };
}

function parseLora(word: string, rank: number, parts: readonly string[]): AdapterSettings {
  const [names = "", ...options] = parts;
  const targets = names.split(",");
  if (!targets.every((target) => /^[A-Za-z_][\w.]*$/.test(target))) {
    throw refusal(word, `"${names}" names no linear layers`, "write q_proj,v_proj");
  }
  if (new Set(targets).size < targets.length) {
    throw refusal(word, `"${names}" names a linear layer twice`, "name each once");
  }
  let alpha = 2 * rank;
  let layers: AdapterLayers = "all";
  for (const option of options) {
    const match = /^alpha=?(\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(option);
    if (match) alpha = Number(match[1]);
    else layers = parseLayers(word, option, ["alpha"]);
  }
  if (!(alpha > 0 && Number.isFinite(alpha))) throw refusal(word, "alpha is not above 0", "write alpha16");
  return { kind: "lora", rank, alpha, targets, layers };
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

function refusal(word: string, what: string, todo: string): NodeError {
  return new NodeError("ADAPTER_SETTINGS", `adapter "${word}": ${what}; ${todo}`, { adapter: word });
}
