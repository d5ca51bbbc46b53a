/** How neighbours weigh against each other, in one word: `uniform`, `samples`, `similarity:0.1`, `similarity:0.1+data:0.5:0.3`. */
import type { NeighbourWeighting } from "../protocol/network-manifest.ts";
import { NEIGHBOUR_WEIGHTS } from "../protocol/settings/neighbour-weights.ts";
import { wordArgument } from "./word-argument.ts";

/** "uniform" is what a manifest says by leaving the field out. */
export type WeightsWord = NeighbourWeighting | "uniform";

const UNIFORM = {
  uniform: { text: "all alike", source: "what a manifest without weights says", fields: {} },
} as const;

const WORD = wordArgument({ ...NEIGHBOUR_WEIGHTS, kinds: { ...UNIFORM, ...NEIGHBOUR_WEIGHTS.kinds } });

/** For help texts: the words that `parseWeights` reads. */
export const WEIGHTS_FORMS = WORD.forms;

/** The weights that a word stands for.  Throws: NodeError CONFIG_INVALID. */
export function parseWeights(word: string): WeightsWord {
  const weights = WORD.parse(word);
  return weights.kind === "uniform" ? weights.kind : weights;
}

/** The word for weights; `parseWeights` of it gives them back. */
export function formatWeights(weights: NeighbourWeighting | undefined): string {
  return WORD.format(weights ?? { kind: "uniform" });
}

/** To be told to whoever makes a network whose peers send sketches; nothing else is worth a word. */
export function sketchWarning(weights: NeighbourWeighting | undefined): string | undefined {
  if (weights?.kind !== "similarity" || weights.data === undefined) return undefined;
  return "every peer sends a sketch of its data set once; the sketch tells how often each class occurs, and roughly the subjects of the texts; peers can add noise with --sketch-noise";
}
