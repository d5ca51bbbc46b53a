/** How neighbours weigh against each other, in one word: `uniform`, `samples` or `metropolis`. */
import { NodeError } from "../node/errors.ts";
import { closestName } from "../protocol/closest-name.ts";
import type { NeighbourWeighting } from "../protocol/network-manifest.ts";

/** For help texts: the words that `parseWeights` reads. */
export const WEIGHTS_FORMS = "uniform, samples or metropolis";

/** "uniform" is what a manifest says by leaving the field out. */
export type WeightsWord = NeighbourWeighting | "uniform";

/** The weights that a word stands for.  Throws: NodeError CONFIG_INVALID. */
export function parseWeights(word: string): WeightsWord {
  switch (word) {
    case "uniform":
      return word;
    case "samples":
    case "metropolis":
      return { kind: word };
    default: {
      const near = closestName(word, ["uniform", "samples", "metropolis"]);
      const what = near === undefined ? "not a way to weigh" : `did you mean ${near}?`;
      throw new NodeError("CONFIG_INVALID", `weights "${word}": ${what}; write ${WEIGHTS_FORMS}`, { weights: word });
    }
  }
}

/** The word for weights; `parseWeights` of it gives them back. */
export function formatWeights(weights: NeighbourWeighting | undefined): string {
  return weights === undefined ? "uniform" : weights.kind;
}
