/** How much each neighbour weighs, before the rule looks at what it sent. */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import type { AggregationSettings } from "../../protocol/network-manifest.ts";
import { ageOf, type NeighbourUpdate, stalenessWeight } from "./neighbour.ts";
import { coreSimilarity, softmaxWeights } from "./similarity.ts";

/** The part of the settings that says how neighbours weigh. */
export type WeightSettings = Pick<AggregationSettings, "weights" | "stalenessExponent">;

/** The weights of a round's neighbours. */
export interface NeighbourWeights {
  /** α_j above 0, one per neighbour; only their ratios matter to the rule. */
  readonly weights: readonly number[];
  /** The neighbours' share of the mix, above 0 and at most 1; the rest is the peer's own. */
  readonly mass: number;
}

/**
 * α_j = w_j (age_j + 1)^-a. w_j is 1 when nothing is said, the author's sample count, the softmax of its similarity, or
 * the weight of Metropolis and Hastings, of which what is missing to 1 is the peer's own; the others divide the whole mix
 * among the neighbours. Similarity is S_model, and with data β S_data + (1 - β) S_model where S_data is known.
 * own: neighbours that this peer announced for the round, in its own update; absent: those at hand.
 * Shapes: at least one neighbour.
 */
export function neighbourWeights(
  settings: WeightSettings,
  {
    own,
    neighbours,
    slots,
    round,
  }: {
    readonly own: { readonly theta: Float32Array; readonly neighbours?: number | undefined };
    readonly neighbours: readonly NeighbourUpdate[];
    readonly slots: readonly AdapterSlot[];
    readonly round: number;
  },
): NeighbourWeights {
  const fresh = neighbours.map((update) => stalenessWeight(ageOf(update, round), settings.stalenessExponent));
  switch (settings.weights?.kind) {
    case undefined:
      return { weights: fresh, mass: 1 };
    case "samples":
      return { weights: neighbours.map(({ sampleCount }, j) => fresh[j]! * Math.max(1, sampleCount)), mass: 1 };
    case "metropolis": {
      // Never fewer than are at hand, so that the weights add up to less than 1.
      const degree = Math.max(own.neighbours ?? 0, neighbours.length);
      const weights = neighbours.map((update, j) => fresh[j]! * metropolisWeight(degree, update.neighbours ?? degree));
      return { weights, mass: weights.reduce((sum, weight) => sum + weight, 0) };
    }
    case "similarity": {
      const { temperature, data } = settings.weights;
      const similarities = neighbours.map(({ theta, dataSimilarity }) => {
        const ofModels = coreSimilarity(own.theta, theta, slots);
        if (data === undefined || dataSimilarity === undefined) return ofModels;
        return data.share * dataSimilarity + (1 - data.share) * ofModels;
      });
      const weights = softmaxWeights(similarities, temperature);
      return { weights: weights.map((weight, j) => fresh[j]! * weight), mass: 1 };
    }
  }
}

/**
 * 1 / (1 + max(deg_i, deg_j)): the same from both sides, so that the matrix of all weights, with what is missing to 1 on
 * its diagonal, is doubly stochastic and the mean over all peers stays what it is. A neighbour that announces too few
 * neighbours gains nothing above 1 / (1 + deg_i); one that announces too many weighs less.
 * Source: Xiao and Boyd 2004, "Fast linear iterations for distributed averaging".
 */
export function metropolisWeight(degree: number, otherDegree: number): number {
  return 1 / (1 + Math.max(degree, otherDegree));
}
