/** Momentum of the aggregate: what all others moved by since the last round is expected to go on for another. */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import { alignGauge, type GaugeKind, retractRotations, rotationGroups } from "./gauge.ts";
import { ifAdapter, isPlausible } from "./plausible.ts";

/** The aggregate of a round, before momentum, f32[P]; and the round that it is of. */
export interface RememberedAggregate {
  readonly round: number;
  readonly z: Float32Array;
}

/**
 * z' = z_t + b (z_t - z_(t-1)), rotations made orthonormal again, with z_(t-1) turned into the gauge of z_t first. Where both are within
 * δ of the honest peers' aggregates, as a robust rule has it, z' is within (1 + 2 b) δ of what these would give: a liar's jump stays
 * bounded.
 * Shapes: z f32[P], before f32[P] → f32[P]; z itself where z' would be no adapter.
 * Source: Polyak 1964, on the round's average; FedAvgM, Hsu et al. 2019, arXiv:1909.06335, whose server remembers a velocity.
 */
export function withMomentum({
  kind,
  slots,
  z,
  before,
  momentum,
}: {
  readonly kind: GaugeKind;
  readonly slots: readonly AdapterSlot[];
  readonly z: Float32Array;
  readonly before: Float32Array;
  /** b, from 0. */
  readonly momentum: number;
}): Float32Array {
  const groups = rotationGroups(kind, slots);
  const pushed = ifAdapter(() => {
    const past = alignGauge({ mine: z, theirs: before, groups });
    const next = past.map((x, i) => z[i]! + momentum * (z[i]! - x));
    return Float32Array.from(retractRotations(next, groups));
  });
  return pushed !== undefined && isPlausible(pushed, z) ? pushed : z;
}
