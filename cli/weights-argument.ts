/** How neighbours weigh against each other, in one word: `uniform`, `samples`, `metropolis` or `similarity:0.1`. */
import { NodeError } from "../node/errors.ts";
import { closestName } from "../protocol/closest-name.ts";
import type { NeighbourWeighting } from "../protocol/network-manifest.ts";

/** For help texts: the words that `parseWeights` reads. */
export const WEIGHTS_FORMS = "uniform, samples, metropolis, or similarity:TEMPERATURE for tri-lora";

/** "uniform" is what a manifest says by leaving the field out. */
export type WeightsWord = NeighbourWeighting | "uniform";

/** The weights that a word stands for.  Throws: NodeError CONFIG_INVALID. */
export function parseWeights(word: string): WeightsWord {
  const [kind = "", ...parts] = word.split(":");
  if (kind === "similarity") {
    const temperature = Number(parts[0]);
    const fits = parts.length === 1 && temperature > 0 && temperature <= 1000;
    if (!fits) throw refusal(word, "similarity needs a temperature above 0 and at most 1000");
    return { kind, temperature };
  }
  if (parts.length > 0) throw refusal(word, `"${parts[0]}" is one part too many`);
  switch (kind) {
    case "uniform":
      return kind;
    case "samples":
    case "metropolis":
      return { kind };
    default: {
      const near = closestName(kind, ["uniform", "samples", "metropolis", "similarity"]);
      throw refusal(word, near === undefined ? "not a way to weigh" : `did you mean ${near}?`);
    }
  }
}

/** The word for weights; `parseWeights` of it gives them back. */
export function formatWeights(weights: NeighbourWeighting | undefined): string {
  if (weights === undefined) return "uniform";
  return weights.kind === "similarity" ? `${weights.kind}:${weights.temperature}` : weights.kind;
}

function refusal(word: string, what: string): NodeError {
  return new NodeError("CONFIG_INVALID", `weights "${word}": ${what}; write ${WEIGHTS_FORMS}`, { weights: word });
}
