/**
 * All-But-Me: the aggregate of all peers but oneself, and the mix of that aggregate with the peer's own adapter.
 * Source: FedReFT, arXiv:2508.20295; the gauge, the order of sums and the refusals are this project's own.
 */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import type { AggregationSettings, RuleSettings } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import { alignCores } from "./core-gauge.ts";
import { alignGauge, type GaugeKind, type RotationGroup, retractRotations, rotationGroups } from "./gauge.ts";
import { weightedMean } from "./mean.ts";
import { ageOf, type NeighbourUpdate, selectNeighbours } from "./neighbour.ts";
import { type NeighbourWeights, neighbourWeights, type WeightSettings } from "./neighbour-weight.ts";
import { byOwnRule, type OwnRule } from "./own-rule.ts";
import { isFinitePoint, type Point } from "./point.ts";
import { averageProducts, productGroups } from "./product-average.ts";
import { aggregateByRule, type Fallback, fallbackOf, looksAtWholes } from "./rule.ts";
import type { Vetting } from "./rule-definition.ts";

/**
 * How much of the peer's own rotation is added to an averaged one before retraction. It decides only where the
 * neighbours' rotations cancel out and have no nearest orthonormal rows; elsewhere it is below what float32 can hold.
 */
const TIE_BREAK = 1e-9;

/** Largest value of a factor whose products with others are still float32 numbers. */
const FACTOR_MAX = 1e15;

/** Everything that one peer's aggregate of a round is computed from. */
export interface AggregateOptions {
  readonly kind: GaugeKind;
  readonly slots: readonly AdapterSlot[];
  /** How tensors that are factors of a product are averaged; by themselves when absent. */
  readonly factors?: Factors | undefined;
  /** The peer itself: its id, so that its own update is refused, and its adapter f32[P], whose gauge is used. */
  readonly own: {
    readonly peer: string;
    readonly theta: Float32Array;
    /** Neighbours that it announced with it, where the network weighs by them. */
    readonly neighbours?: number | undefined;
  };
  /** The network's common start as it travels, f32[P], for rules that ask where adapters went; unknown when absent. */
  readonly start?: Float32Array | undefined;
  readonly neighbours: readonly NeighbourUpdate[];
  readonly settings: RuleSettings & WeightSettings & Pick<AggregationSettings, "scope" | "ageMax">;
  /** The round that is being aggregated. */
  readonly round: number;
  /** In place of the rule of `settings`; only where this thread aggregates. */
  readonly ownRule?: OwnRule | undefined;
}

/** How factors of a product are averaged, as a manifest says it. */
export type Factors = NonNullable<AggregationSettings["factors"]>;

/** Why a neighbour's adapter did not enter: wrong length, NaN or Infinity, or a rotation without orthonormal rows. */
export type RefusalReason = "length" | "not-finite" | "rotation";

/** One neighbour of an aggregate. */
export interface NeighbourShare {
  readonly peer: string;
  /** Its share of the neighbours' weight, before the rule looks at values; those of an aggregate add up to 1. */
  readonly weight: number;
  /** Rounds that its update is behind. */
  readonly staleness: number;
  /** Euclidean distance of its adapter, in the own gauge, from the own one. */
  readonly distance: number;
}

/** The aggregate of a peer's neighbours, and how it came about. */
export interface Aggregate {
  /** f32[P] in the peer's own gauge, rotations orthonormal. A copy of its own adapter when `peers` is empty. */
  readonly z: Float32Array;
  /** The neighbours in it, in rising order. */
  readonly peers: readonly string[];
  /** By a rule that chooses among them: those that it left in, in the order of its `Vetting`. */
  readonly kept?: readonly string[];
  /** What each of them, in the same order, counts for and how far it is. */
  readonly shares: readonly NeighbourShare[];
  readonly refused: readonly { readonly peer: string; readonly reason: RefusalReason }[];
  /**
   * Why there is no aggregate although there were neighbours: it is beyond what float32 can hold, or its rotations depend on
   * each other. `peers` is empty then, and z the own adapter.
   */
  readonly spoilt?: Exclude<RefusalReason, "length">;
  /** Rounds by which the oldest of them is behind; 0 without any. */
  readonly stalenessMax: number;
  /** The rule was the geometric median of exactly two, which is not unique: z is their mean. For the log. */
  readonly degenerate: boolean;
  /** The rule that stood in for one that needs more neighbours than there were; undefined without. For the log. */
  readonly fallback: Fallback | undefined;
}

/** `aggregateNeighbours`, wherever it is computed. */
export type Aggregator = (options: AggregateOptions) => Promise<Aggregate>;

/**
 * z_k = Agg over j ≠ k of θ_j, with the weights of `neighbourWeights`; tensor by tensor or over the whole vector, in f64, in
 * peer-id order. Every neighbour's rotation is first made orthonormal and turned into the peer's own gauge, so that
 * no sender gains weight by the length of its R. The peer's own adapter gives the gauge, is the centre that the norm clip
 * and clipped gossip measure from, and enters nothing else, unless the weights
 * leave it a share of the mix: then z_k = (1 - m) θ_k + m Agg with m the neighbours' share.
 * Throws: RangeError when the peer's own update is among the neighbours or one peer twice; ADAPTER_SHAPE.
 */
export function aggregateNeighbours(options: AggregateOptions): Aggregate {
  const { kind, slots, factors, own, settings, round, ownRule } = options;
  checkAdapter("own adapter", own.theta, slots);
  const groups = rotationGroups(kind, slots);
  const refused: { peer: string; reason: RefusalReason }[] = [];
  const used: NeighbourUpdate[] = [];
  const points: Float32Array[] = [];
  for (const update of selectNeighbours({ ...options, self: own.peer, ageMax: settings.ageMax })) {
    const point = admit(update.theta, own.theta, { groups, slots, factors });
    if (typeof point === "string") {
      refused.push({ peer: update.peer, reason: point });
    } else {
      used.push(update);
      points.push(point);
    }
  }
  const none = {
    z: own.theta.slice(),
    peers: [],
    shares: [],
    refused,
    stalenessMax: 0,
    degenerate: false,
    fallback: undefined,
  };
  if (used.length === 0) return none;
  const weighed = neighbourWeights(settings, { own, neighbours: used, slots, round });
  let kept: readonly string[] | undefined;
  const onVetted = ({ order }: Vetting): void => {
    kept = order.map((j) => used[j]!.peer);
  };
  const z = put(options, { points, groups, used, onVetted, ...weighed });
  if (typeof z === "string") return { ...none, spoilt: z };
  const total = weighed.weights.reduce((sum, weight) => sum + weight, 0);
  return {
    z,
    peers: used.map((update) => update.peer),
    ...(kept !== undefined && { kept }),
    shares: used.map((update, i) => ({
      peer: update.peer,
      weight: weighed.weights[i]! / total,
      staleness: ageOf(update, round),
      distance: distanceBetween(points[i]!, own.theta),
    })),
    refused,
    stalenessMax: used.reduce((oldest, update) => Math.max(oldest, ageOf(update, round)), 0),
    degenerate: ownRule === undefined && settings.rule === "geometric-median" && used.length === 2,
    fallback: ownRule === undefined ? fallbackOf(settings, used.length) : undefined,
  };
}

/**
 * θ ← (1 - λ) θ + λ z, rotations made orthonormal again; λ = 0 gives θ bit for bit. Of factors of products it is the
 * products that are mixed, λ = 1 gives those of z.
 * Shapes: own f32[P], z f32[P] in the gauge of own → f32[P], a copy.
 * Throws: RangeError when λ is not within 0 and 1; ADAPTER_SHAPE.
 */
export function mix({
  kind,
  slots,
  factors,
  own,
  z,
  lambda,
}: {
  readonly kind: GaugeKind;
  readonly slots: readonly AdapterSlot[];
  readonly factors?: Factors | undefined;
  readonly own: Float32Array;
  readonly z: Float32Array;
  readonly lambda: number;
}): Float32Array {
  if (!(lambda >= 0 && lambda <= 1)) throw new RangeError(`lambda ${lambda} is not within 0 and 1`);
  checkAdapter("own adapter", own, slots);
  checkAdapter("aggregate", z, slots);
  if (lambda === 0) return own.slice();
  const mixed = Float64Array.from(own, (x, i) => (1 - lambda) * x + lambda * z[i]!);
  if (factors === "product" && lambda < 1) {
    const both = { points: [own, z], weights: [1 - lambda, lambda], own };
    for (const group of productGroups(slots)) averageProducts(group, both, mixed);
  }
  return Float32Array.from(retractRotations(mixed, rotationGroups(kind, slots)));
}

/** The points by weights and rule, and the own share; why it is no adapter where it is none. */
function put(
  { kind, slots, factors, own, start: common, settings, round, ownRule }: AggregateOptions,
  {
    points,
    groups,
    used,
    weights,
    mass,
    onVetted,
  }: NeighbourWeights & {
    readonly points: readonly Float32Array[];
    readonly onVetted: (vetting: Vetting) => void;
    readonly groups: readonly RotationGroup[];
    readonly used: readonly NeighbourUpdate[];
  },
): Float32Array | Exclude<RefusalReason, "length"> {
  const start = common && looksAtWholes(settings) ? admit(common, own.theta, { groups, slots, factors }) : undefined;
  const known = typeof start === "string" ? undefined : start;
  try {
    const average = ownRule
      ? byOwnRule(ownRule, { points, weights, own: own.theta, used, round })
      : aggregatePoints(settings, { points, weights, own: own.theta, start: known, slots, factors, onVetted });
    for (const { R } of groups) {
      for (let i = R.offset; i < R.offset + R.length; i++) average[i]! += TIE_BREAK * own.theta[i]!;
    }
    const others = Float32Array.from(retractRotations(average, groups));
    if (!isFinitePoint(others)) return "not-finite";
    const z = mass < 1 ? mix({ kind, slots, factors, own: own.theta, z: others, lambda: mass }) : others;
    return isFinitePoint(z) ? z : "not-finite";
  } catch (error) {
    // The own adapter was checked before: what cannot be put together here are the neighbours' values.
    if (error instanceof NodeError && error.code === "ADAPTER_SHAPE") return "rotation";
    throw error;
  }
}

function distanceBetween(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum);
}

/** A neighbour's adapter as a point in the own gauge, or why it cannot be one. No copy where there is no gauge. */
function admit(
  theta: Float32Array,
  own: Float32Array,
  {
    groups,
    slots,
    factors,
  }: {
    readonly groups: readonly RotationGroup[];
    readonly slots: readonly AdapterSlot[];
    readonly factors: Factors | undefined;
  },
): Float32Array | RefusalReason {
  if (theta.length !== own.length) return "length";
  if (!isFinitePoint(theta)) return "not-finite";
  if (factors === "product" && !theta.every((x) => Math.abs(x) <= FACTOR_MAX)) return "not-finite";
  if (factors === "aligned") {
    const aligned = alignCores(own, theta, slots);
    return isFinitePoint(aligned) ? aligned : "not-finite";
  }
  if (groups.length === 0) return theta;
  const theirs = retractOrRefuse(theta, groups);
  if (theirs === "rotation") return theirs;
  const point = Float32Array.from(alignGauge({ mine: own, theirs, groups }));
  // Turning may carry the largest float32 numbers beyond what float32 can hold.
  return isFinitePoint(point) ? point : "not-finite";
}

function retractOrRefuse(theta: Float32Array, groups: readonly RotationGroup[]): Float64Array | "rotation" {
  try {
    return retractRotations(theta, groups);
  } catch (error) {
    if (error instanceof NodeError && error.code === "ADAPTER_SHAPE") return "rotation";
    throw error;
  }
}

function aggregatePoints(
  settings: AggregateOptions["settings"],
  {
    points,
    weights,
    own,
    start,
    slots,
    factors,
    onVetted,
  }: {
    readonly points: readonly Point[];
    readonly weights: readonly number[];
    readonly own: Point;
    readonly start: Point | undefined;
    readonly slots: readonly AdapterSlot[];
    readonly factors: Factors | undefined;
    readonly onVetted: (vetting: Vetting) => void;
  },
): Float64Array {
  if (factors === "product") return averageOfProducts({ points, weights, own, slots });
  if (looksAtWholes(settings))
    return aggregateByRule(settings, { points, weights, own, start, parts: slots, onVetted });
  if (settings.scope === "global") return aggregateByRule(settings, { points, weights, own });
  const z = new Float64Array(own.length);
  const longest = slots.reduce((max, { length }) => Math.max(max, length), 0);
  const scratch = new Float32Array(settings.normClip ? (points.length >> 1) * longest : 0);
  for (const { offset, length } of slots) {
    const part = (point: Point): Point => point.subarray(offset, offset + length);
    z.set(aggregateByRule(settings, { points: points.map(part), weights, own: part(own), scratch }), offset);
  }
  return z;
}

/** The mean, tensor by tensor, and of the pairs of factors the mean of their products. */
function averageOfProducts({
  points,
  weights,
  own,
  slots,
}: {
  readonly points: readonly Point[];
  readonly weights: readonly number[];
  readonly own: Point;
  readonly slots: readonly AdapterSlot[];
}): Float64Array {
  const z = weightedMean(points, weights);
  for (const group of productGroups(slots)) averageProducts(group, { points, weights, own }, z);
  return z;
}

function checkAdapter(what: string, theta: Float32Array, slots: readonly AdapterSlot[]): void {
  const expected = slots.reduce((sum, slot) => sum + slot.length, 0);
  if (theta.length !== expected) {
    throw new NodeError("ADAPTER_SHAPE", `${what} has ${theta.length} values, its tensors have ${expected}`, {
      length: theta.length,
      expected,
    });
  }
  const index = theta.findIndex((x) => !Number.isFinite(x));
  if (index >= 0) throw new NodeError("ADAPTER_SHAPE", `${what} holds ${theta[index]} at ${index}`, { index });
}
