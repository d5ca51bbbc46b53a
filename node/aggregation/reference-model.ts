/**
 * The reference model of FedRef: a peer's own recent past, which holds the next adapter back from forgetting.
 * Each peer keeps its own; nothing of it is ever sent.
 * Source: FedRef, arXiv:2506.23210; the average over time, linear weights and the gauge are this project's own.
 */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import type { AggregationSettings, ReferenceSettings } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import { alignGauge, type GaugeKind, retractRotations, rotationGroups } from "./gauge.ts";
import { weightedMean } from "./mean.ts";
import { isFinitePoint } from "./point.ts";

/** A peer's memory of its past between rounds; plain data. Adapters are f32[P] as they left their rounds. */
export type ReferenceState =
  | { readonly kind: "none" }
  /** At most `size` snapshots, the newest first. */
  | { readonly kind: "window"; readonly snapshots: readonly Float32Array[] }
  | { readonly kind: "ema"; readonly past: { readonly latest: Float32Array; readonly mean: Float32Array } | undefined };

/** The make-up of the flat vector; see `rotationGroups`. */
export interface AdapterLayout {
  readonly kind: GaugeKind;
  readonly slots: readonly AdapterSlot[];
  /**
   * How the aggregation treats factors. The past of a peer is in its own gauge, so that it is averaged as it stands.
   */
  readonly factors?: AggregationSettings["factors"] | undefined;
}

/** A peer without a past. */
export function emptyReference(settings: ReferenceSettings): ReferenceState {
  switch (settings.kind) {
    case "none":
      return { kind: "none" };
    case "window":
      return { kind: "window", snapshots: [] };
    case "ema":
      return { kind: "ema", past: undefined };
  }
}

/**
 * Remember the adapter that leaves a round. Window: it becomes x^t and the oldest beyond `size` goes.
 * A model that is not finite is not remembered, and an average that is not begins anew.
 * Average over time: m ← decay · m + (1 - decay) · x, with m turned into the gauge of x first; m starts at x.
 */
export function rememberModel(
  state: ReferenceState,
  model: Float32Array,
  { settings, layout }: { readonly settings: ReferenceSettings; readonly layout: AdapterLayout },
): ReferenceState {
  assertSameKind(state, settings);
  if (!isFinitePoint(model)) return state;
  if (state.kind === "window" && settings.kind === "window") {
    return { kind: "window", snapshots: [model.slice(), ...state.snapshots].slice(0, settings.size) };
  }
  if (state.kind === "ema" && settings.kind === "ema") {
    const latest = model.slice();
    if (state.past === undefined) return { kind: "ema", past: { latest, mean: latest.slice() } };
    const groups = rotationGroups(layout.kind, layout.slots);
    const mean = alignGauge({ mine: model, theirs: state.past.mean, groups });
    const next = mean.map((m, i) => settings.decay * m + (1 - settings.decay) * model[i]!);
    const kept = Float32Array.from(retractRotations(next, groups));
    return { kind: "ema", past: { latest, mean: isFinitePoint(kept) ? kept : latest.slice() } };
  }
  return state;
}

/**
 * Anchor an aggregate to the past, in closed form:
 * x+ = argmin ½|x - a|² + l1/2 |x - x⁻|² + l2/2 |x - m|² = (a + l1 x⁻ + l2 m) / (1 + l1 + l2),
 * and with Fisher weights f, value by value, Σ f_i in place of the last two norms:
 * x+_i = (a_i + f_i (l1 x⁻_i + l2 m_i)) / (1 + f_i (l1 + l2)),
 * where x⁻ is the adapter that left the last round and m = Σ ω_i x^(t+1-i) the reference model. Both are turned into
 * the gauge of a before, and rotations are made orthonormal after. Without a past, or with kind none, x+ = a.
 * Shapes: aggregate f32[P], fisher f32[P], 1 on average → f32[P], a copy. Weights belong to the gauge that they were
 * gathered in, which is the peer's own and that of a.
 * Throws: ADAPTER_SHAPE; RangeError when there are not P weights.
 */
export function anchorToReference(
  state: ReferenceState,
  aggregate: Float32Array,
  {
    settings,
    layout,
    fisher,
  }: {
    readonly settings: ReferenceSettings;
    readonly layout: AdapterLayout;
    readonly fisher?: Float32Array | undefined;
  },
): Float32Array {
  assertSameKind(state, settings);
  if (settings.kind === "none") return aggregate.slice();
  const groups = rotationGroups(layout.kind, layout.slots);
  const align = (theirs: Float32Array): Float64Array => alignGauge({ mine: aggregate, theirs, groups });
  const past = alignedPast(state, settings, align);
  if (past === undefined) return aggregate.slice();
  if (fisher && fisher.length !== aggregate.length) {
    throw new RangeError(`${fisher.length} Fisher weights for an adapter of ${aggregate.length} values`);
  }
  const { l1, l2 } = settings;
  const anchored = Float64Array.from(aggregate, (a, i) => {
    const f = fisher?.[i] ?? 1;
    return (a + f * (l1 * past.previous[i]! + l2 * past.mean[i]!)) / (1 + f * (l1 + l2));
  });
  return Float32Array.from(retractRotations(anchored, groups));
}

/**
 * The reference model m of the proximal term in local training, in the gauge of the newest snapshot, from which training
 * goes on; undefined without a past.
 * Shapes: → f32[P].
 */
export function referenceModel(
  state: ReferenceState,
  { settings, layout }: { readonly settings: ReferenceSettings; readonly layout: AdapterLayout },
): Float32Array | undefined {
  assertSameKind(state, settings);
  if (settings.kind === "none") return undefined;
  const newest = state.kind === "window" ? state.snapshots[0] : state.kind === "ema" ? state.past?.latest : undefined;
  if (newest === undefined) return undefined;
  const groups = rotationGroups(layout.kind, layout.slots);
  const past = alignedPast(state, settings, (theirs) => alignGauge({ mine: newest, theirs, groups }));
  return past && Float32Array.from(past.mean);
}

/** The state as arrays to store: window, newest first; average over time, latest then mean; nothing for none. */
export function encodeReference(state: ReferenceState): readonly Float32Array[] {
  switch (state.kind) {
    case "none":
      return [];
    case "window":
      return state.snapshots;
    case "ema":
      return state.past === undefined ? [] : [state.past.latest, state.past.mean];
  }
}

/**
 * The state from stored arrays.
 * Throws: CHECKPOINT_CORRUPT when their number, length or values cannot be a state under these settings.
 */
export function decodeReference(
  arrays: readonly Float32Array[],
  { settings, parameterCount }: { readonly settings: ReferenceSettings; readonly parameterCount: number },
): ReferenceState {
  const fits = {
    none: arrays.length === 0,
    window: settings.kind === "window" && arrays.length <= settings.size,
    ema: arrays.length === 0 || arrays.length === 2,
  }[settings.kind];
  const bad = arrays.findIndex((array) => array.length !== parameterCount || !array.every(Number.isFinite));
  if (!fits || bad >= 0) {
    const what = fits ? `snapshot ${bad} is not ${parameterCount} finite values` : `${arrays.length} snapshots`;
    throw new NodeError(
      "CHECKPOINT_CORRUPT",
      `stored reference model (${settings.kind}): ${what}; remove the checkpoint to start without a past`,
      { kind: settings.kind, arrays: arrays.length, parameterCount },
    );
  }
  switch (settings.kind) {
    case "none":
      return { kind: "none" };
    case "window":
      return { kind: "window", snapshots: [...arrays] };
    case "ema":
      return { kind: "ema", past: arrays.length === 0 ? undefined : { latest: arrays[0]!, mean: arrays[1]! } };
  }
}

function alignedPast(
  state: ReferenceState,
  settings: Exclude<ReferenceSettings, { readonly kind: "none" }>,
  align: (theirs: Float32Array) => Float64Array,
): { readonly previous: Float64Array; readonly mean: Float64Array } | undefined {
  if (state.kind === "ema" && state.past !== undefined) {
    return { previous: align(state.past.latest), mean: align(state.past.mean) };
  }
  if (state.kind !== "window" || settings.kind !== "window" || state.snapshots.length === 0) return undefined;
  const snapshots = state.snapshots.map(align);
  const newest = snapshots.length;
  const weights = snapshots.map((_, i) => (settings.weights === "linear" ? newest - i : 1));
  return { previous: snapshots[0]!, mean: weightedMean(snapshots, weights) };
}

function assertSameKind(state: ReferenceState, settings: ReferenceSettings): void {
  if (state.kind !== settings.kind) {
    throw new RangeError(`a reference state of kind ${state.kind} under settings of kind ${settings.kind}`);
  }
}
