/**
 * The gauge of LoReFT: (R, W, b) and (Q R, Q W, Q b) with Q orthogonal r x r are one and the same edit
 * h + Rᵀ(W h + b - R h), so two peers must agree on Q before their adapters are averaged, or the average is of
 * numbers that mean different things. DiReFT's edit h + Rᵀ(W h + b) has the same gauge. LoRA's larger gauge (any
 * invertible r x r between B and A) and that of NoReFT and NoDiReFT are not fixed here: their factors are averaged as
 * they stand, which is not the average of the products. Where a factor is frozen (a frozen R, FFA-LoRA, Tri-LoRA on a
 * shared basis) there is no gauge, and the average is exact.
 *
 * After averaging, the rows of R are no longer orthonormal and R is retracted to the nearest R' that are. The edit is
 * Rᵀ(D h + b) with D = W - R, zero at the no-op start; retraction keeps D and b, so W moves with R:
 * W' = W + (R' - R). The edit then changes by (R' - R)ᵀ(D h + b), in proportion to itself, and a no-op stays one.
 * Keeping W instead would add (RᵀR - R'ᵀR') h to every hidden state, however small the edit. In DiReFT D is W itself,
 * which stays.
 */
import type { AdapterSettings, AdapterSlot } from "../../protocol/adapter-spec.ts";
import { ADAPTERS } from "../../protocol/settings/adapter-kinds.ts";
import { nearestOrthogonal, polarRows } from "../adapter/orthonormal.ts";
import { NodeError } from "../errors.ts";

/** The slots of one intervention with a trained rotation. Slots of a frozen R, and all other tensors, have no gauge. */
export interface RotationGroup {
  /** The name before `.R`, such as `layers.0.prefix`. */
  readonly site: string;
  readonly rank: number;
  readonly columns: number;
  readonly R: AdapterSlot;
  readonly W: AdapterSlot | undefined;
  readonly b: AdapterSlot | undefined;
  /** Whether the edit is made of W - R (LoReFT), so that W moves with R when R is retracted. */
  readonly relative: boolean;
}

/** The kind that decides the gauge: a combination has that of its ReFT side. */
export type GaugeKind = Exclude<AdapterSettings["kind"], "combination">;

/** The kind whose gauge an adapter has. That of a combination is the gauge of its ReFT part. */
export function gaugeKind(settings: AdapterSettings): GaugeKind {
  return settings.kind === "combination" ? settings.reft.kind : settings.kind;
}

/**
 * The interventions whose rotation is part of the flat vector, in slot order; none for kinds without a rotation.
 * Shapes: R [r, d] with r at most d, W [r, d], b [r].
 * Throws: ADAPTER_SHAPE.
 */
export function rotationGroups(kind: GaugeKind, slots: readonly AdapterSlot[]): readonly RotationGroup[] {
  const { gauge } = ADAPTERS.kinds[kind];
  if (gauge === "none") return [];
  const byName = new Map(slots.map((slot) => [slot.name, slot]));
  const relative = gauge === "relative-rotation";
  return slots.filter((slot) => slot.name.endsWith(".R")).map((R) => groupOf(R, byName, relative));
}

/**
 * Turn an adapter into the gauge of another: U S Vᵀ = svd(R_mine R_theirsᵀ), Q = U Vᵀ, (Q R, Q W, Q b); the same
 * function, with R as close to R_mine as it gets.
 * Shapes: mine [P], theirs [P] → [P].
 */
export function alignGauge({
  mine,
  theirs,
  groups,
}: {
  readonly mine: ArrayLike<number>;
  readonly theirs: ArrayLike<number>;
  readonly groups: readonly RotationGroup[];
}): Float64Array {
  const aligned = Float64Array.from(theirs);
  for (const group of groups) {
    const Q = nearestOrthogonal(crossProduct(mine, theirs, group), group.rank);
    for (const slot of [group.R, group.W, group.b]) if (slot !== undefined) turn(Q, theirs, slot, group.rank, aligned);
  }
  return aligned;
}

/**
 * Bring every rotation back to orthonormal rows, keeping D and b (see the head of this page).
 * Shapes: theta [P] → [P], a copy.
 * Throws: ADAPTER_SHAPE when the rows of a rotation are linearly dependent or not finite.
 */
export function retractRotations(theta: ArrayLike<number>, groups: readonly RotationGroup[]): Float64Array {
  const retracted = Float64Array.from(theta);
  for (const { R, W, rank, columns, relative } of groups) {
    const rows = retracted.subarray(R.offset, R.offset + R.length);
    const orthonormal = polarRows(rows, rank, columns);
    for (let i = 0; i < R.length; i++) {
      if (relative && W !== undefined) retracted[W.offset + i]! += orthonormal[i]! - rows[i]!;
      rows[i] = orthonormal[i]!;
    }
  }
  return retracted;
}

function groupOf(R: AdapterSlot, byName: ReadonlyMap<string, AdapterSlot>, relative: boolean): RotationGroup {
  const site = R.name.slice(0, -".R".length);
  const [rank = 0, columns = 0] = R.shape;
  const W = byName.get(`${site}.W`);
  const b = byName.get(`${site}.b`);
  const fits = (slot: AdapterSlot | undefined, shape: readonly number[]): boolean =>
    slot === undefined || (slot.shape.length === shape.length && slot.shape.every((n, i) => n === shape[i]));
  if (R.shape.length !== 2 || rank < 1 || rank > columns || !fits(W, R.shape) || !fits(b, [rank])) {
    const shapes = [R, W, b].map((slot) => (slot === undefined ? "absent" : `[${slot.shape.join(", ")}]`)).join(", ");
    throw new NodeError(
      "ADAPTER_SHAPE",
      `intervention ${site}: R, W, b have the shapes ${shapes}, expected [r, d], [r, d], [r] with r at most d`,
      { site },
    );
  }
  return { site, rank, columns, R, W, b, relative };
}

/** R_mine R_theirsᵀ, [r, r]. */
function crossProduct(mine: ArrayLike<number>, theirs: ArrayLike<number>, group: RotationGroup): Float64Array {
  const { R, rank, columns } = group;
  const out = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j < rank; j++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) {
        sum += mine[R.offset + i * columns + k]! * theirs[R.offset + j * columns + k]!;
      }
      out[i * rank + j] = sum;
    }
  }
  return out;
}

/** Q times one tensor of `rank` rows, from `source` into `out`. */
function turn(Q: Float64Array, source: ArrayLike<number>, slot: AdapterSlot, rank: number, out: Float64Array): void {
  const columns = slot.length / rank;
  for (let i = 0; i < rank; i++) {
    for (let k = 0; k < columns; k++) {
      let sum = 0;
      for (let j = 0; j < rank; j++) sum += Q[i * rank + j]! * source[slot.offset + j * columns + k]!;
      out[slot.offset + i * columns + k] = sum;
    }
  }
}
