/** Aggregation: pure functions from a peer's adapter and those of its neighbours to the peer's aggregate. */
export {
  type Aggregate,
  type AggregateOptions,
  type Aggregator,
  aggregateNeighbours,
  mix,
  type NeighbourShare,
  type RefusalReason,
} from "./all-but-me.ts";

export { CENTRED_CLIPPING_STEPS, centredClipping, clippedGossip, clippedMean, clipToMedianNorm } from "./clipping.ts";
export { coordinateMedian } from "./coordinate-median.ts";
export {
  CLUSTER_COUNT,
  type DataSketch,
  dataSimilarity,
  dataSketch,
  noisySketch,
  sketchDistance,
} from "./data-sketch.ts";
export {
  alignGauge,
  type GaugeKind,
  gaugeKind,
  type RotationGroup,
  retractRotations,
  rotationGroups,
} from "./gauge.ts";
export { type GeometricMedian, geometricMedian } from "./geometric-median.ts";
export { weightedMean } from "./mean.ts";
export { type RememberedAggregate, withMomentum } from "./momentum.ts";
export { ageOf, type NeighbourUpdate, selectNeighbours, stalenessWeight } from "./neighbour.ts";
export { metropolisWeight, type NeighbourWeights, neighbourWeights, type WeightSettings } from "./neighbour-weight.ts";
export type { OwnRule, OwnRuleInput, RuleUpdate } from "./own-rule.ts";
export { GROWTH_MAX, ifAdapter, isPlausible } from "./plausible.ts";
export { isFinitePoint } from "./point.ts";
export {
  type AdapterLayout,
  anchorToReference,
  decodeReference,
  emptyReference,
  encodeReference,
  type ReferenceState,
  referenceModel,
  rememberModel,
} from "./reference-model.ts";
export { aggregateByRule, type Fallback, fallbackOf, looksAtWholes, neighboursMin } from "./rule.ts";
export { coreSimilarity, linearCka, softmaxWeights } from "./similarity.ts";
export { type SketchOptions, sketchFeatures, sketchOfFeatures } from "./sketch-of-features.ts";
export { vettedMean, vettedWeights } from "./vetted-mean.ts";
