/** What holds a peer's adapter to its own past, in one word: `none`, `window:4`, `window:4:linear` or `ema:0.9`. */
import { NodeError } from "../node/errors.ts";
import { closestName } from "../protocol/closest-name.ts";
import { MANIFEST_DEFAULTS, type ReferenceSettings } from "../protocol/network-manifest.ts";

/** The forms that `parseReference` reads, for help and refusals. */
export const REFERENCE_FORMS = "none, window:4, window:4:linear or ema:0.9, with +fisher for weights value by value";

/** Decay of the Fisher information: about the last hundred local steps count. */
const FISHER_DECAY = 0.99;
const FISHER = "+fisher";

const KINDS = ["none", "window", "ema"] as const;

/** The reference model that a word stands for, with the default pull.  Throws: NodeError CONFIG_INVALID. */
export function parseReference(word: string): ReferenceSettings {
  const isWeighted = word.endsWith(FISHER);
  const [kind = "", size, weights, ...rest] = (isWeighted ? word.slice(0, -FISHER.length) : word).split(":");
  const pull = { ...PULL, ...(isWeighted && { fisherDecay: FISHER_DECAY }) };
  if (rest.length > 0) throw refusal(word, "too many parts");
  if (kind === "none" && size === undefined && !isWeighted) return { kind };
  if (kind === "window") {
    if (!/^\d{1,2}$/.test(size ?? "") || Number(size) < 1 || Number(size) > 64) {
      throw refusal(word, `"${size ?? ""}" is not a number of rounds from 1 to 64`);
    }
    if (weights !== undefined && weights !== "linear" && weights !== "uniform") {
      throw refusal(word, `"${weights}" is neither linear nor uniform`);
    }
    return { kind, size: Number(size), weights: weights ?? "uniform", ...pull };
  }
  if (kind === "ema" && weights === undefined) {
    const decay = Number(size);
    if (!size || !(decay >= 0 && decay < 1)) throw refusal(word, `"${size ?? ""}" is not a decay from 0 to below 1`);
    return { kind, decay, ...pull };
  }
  const near = closestName(kind, KINDS);
  throw refusal(word, near && near !== kind ? `did you mean ${near}?` : "not a reference model");
}

/** The word for a reference model; `parseReference` of it gives it back, but for numbers that the word does not say. */
export function formatReference(settings: ReferenceSettings): string {
  if (settings.kind === "none") return settings.kind;
  const fisher = settings.fisherDecay === undefined ? "" : FISHER;
  if (settings.kind === "ema") return `ema:${settings.decay}${fisher}`;
  return `window:${settings.size}${settings.weights === "linear" ? ":linear" : ""}${fisher}`;
}

const { reference: DEFAULT } = MANIFEST_DEFAULTS;
const PULL = DEFAULT.kind === "none" ? { l1: 0, l2: 0 } : { l1: DEFAULT.l1, l2: DEFAULT.l2 };

function refusal(word: string, what: string): NodeError {
  return new NodeError("CONFIG_INVALID", `reference "${word}": ${what}; write ${REFERENCE_FORMS}`, { reference: word });
}
