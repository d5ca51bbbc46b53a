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

/** S of a peer and itself, of models as of data sets. */
const OWN_SIMILARITY = 1;
/** What a peer gains by mixing with itself. */
const OWN_GAIN = 0;

/**
 * α_j = w_j (age_j + 1)^-a. w_j is 1 when nothing is said, the author's sample count, the softmax of its similarity, or
 * the weight of Metropolis and Hastings, of which what is missing to 1 is the peer's own. With `self` the softmax is over the
 * peer itself too, p_ij = exp(s_ij / τ) / (exp(1 / τ) + Σ_k exp(s_ik / τ)), and the mix at lambda 1 is Σ_j p_ij x_j, the
 * peer's own x_i among them; so too is what age takes from a neighbour. By `score` p_ij = exp(g_ij / τ) / (1 + Σ_k exp(g_ik / τ)), g the
 * gain of mixing each alone and the peer's own 0; who was never looked at has the least gain of all, or 0. All others divide the whole mix among the
 * neighbours. Similarity is S_model, and with data β S_data + (1 - β) S_model where S_data is known.
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
    case "score": {
      const least = Math.min(OWN_GAIN, ...neighbours.flatMap(({ gain }) => (gain === undefined ? [] : [gain])));
      const gains = neighbours.map(({ gain = least }) => gain);
      return besideItself([OWN_GAIN, ...gains], fresh, settings.weights.temperature);
    }
    case "similarity": {
      const { temperature, data, self } = settings.weights;
      const similarities = neighbours.map(({ theta, dataSimilarity }) => {
        const ofModels = coreSimilarity(own.theta, theta, slots);
        if (data === undefined || dataSimilarity === undefined) return ofModels;
        return data.share * dataSimilarity + (1 - data.share) * ofModels;
      });
      if (!self) {
        const shares = softmaxWeights(similarities, temperature);
        return { weights: shares.map((share, j) => fresh[j]! * share), mass: 1 };
      }
      return besideItself([OWN_SIMILARITY, ...similarities], fresh, temperature);
    }
  }
}

/** The softmax over the peer itself, which is the first, and its neighbours; what age takes is the peer's own too. */
function besideItself(values: readonly number[], fresh: readonly number[], temperature: number): NeighbourWeights {
  const [, ...shares] = softmaxWeights(values, temperature);
  const weights = shares.map((share, j) => fresh[j]! * share);
  return { weights, mass: weights.reduce((sum, weight) => sum + weight, 0) };
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
