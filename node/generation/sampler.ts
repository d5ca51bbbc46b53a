/** The choice of the next token from the logits: the likeliest one, or one drawn at random. */
import type { Prng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";

/** How the next token is chosen from the logits. */
export interface SamplingSettings {
  /** 0 takes the likeliest token; above, probabilities are softmax(logits / temperature). */
  readonly temperature: number;
  /** Draw only from the likeliest tokens that together have at least this probability; 1 draws from all. */
  readonly topP: number;
  /** Draw only from so many of the likeliest tokens; from all when absent. */
  readonly topK?: number;
}

/** The likeliest token, the first of equals, and no randomness. */
export const GREEDY: SamplingSettings = { temperature: 0, topP: 1 };

/**
 * The id of the next token.
 * Source: Holtzman et al. 2019, "The Curious Case of Neural Text Degeneration", arXiv:1904.09751, for top-p.
 * Throws: MODEL_CONFIG when a logit is not a number, which weights or an adapter that are damaged give.
 */
export function sampleToken(logits: Float32Array, { temperature, topP, topK }: SamplingSettings, prng: Prng): number {
  const best = likeliest(logits);
  if (temperature === 0) return best;
  const weights = Float64Array.from(logits, (z) => Math.exp((z - logits[best]!) / temperature));
  const order = Array.from(weights.keys())
    .sort((a, b) => weights[b]! - weights[a]! || a - b)
    .slice(0, topK);
  const total = order.reduce((sum, id) => sum + weights[id]!, 0);
  const nucleus: number[] = [];
  let mass = 0;
  for (const id of order) {
    nucleus.push(id);
    mass += weights[id]!;
    if (mass >= topP * total) break;
  }
  let drawn = prng.uniform() * mass;
  for (const id of nucleus) {
    drawn -= weights[id]!;
    if (drawn < 0) return id;
  }
  return nucleus.at(-1)!;
}

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    if (Number.isNaN(logits[id])) {
      throw new NodeError("MODEL_CONFIG", "the model's output is not a number; its weights or the adapter are damaged");
    }
    if (logits[id]! > logits[best]!) best = id;
  }
  return best;
}
