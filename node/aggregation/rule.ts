/** The rules by which neighbours' adapters are put together, chosen by the manifest. */
import type { AggregationSettings } from "../../protocol/network-manifest.ts";
import { centredClipping, clippedGossip, clipToMedianNorm } from "./clipping.ts";
import { coordinateMedian } from "./coordinate-median.ts";
import { geometricMedian } from "./geometric-median.ts";
import { krum, krumPointsMin, multiKrum } from "./krum.ts";
import { weightedMean } from "./mean.ts";
import type { Point } from "./point.ts";
import { trimmedCount, trimmedMean } from "./trimmed-mean.ts";

/** The part of the settings that says which rule and how. */
export type RuleSettings = Pick<AggregationSettings, "rule" | "trim" | "faulty" | "keep" | "radius" | "normClip">;

/** The rule that stood in for the chosen one, which needs more neighbours than there were. */
export interface Fallback {
  /** The geometric median, or the mean where there are only two or one. */
  readonly rule: "geometric-median" | "mean";
  /** Fewest neighbours that the chosen rule needs. */
  readonly neighboursMin: number;
}

/** What stands in for the rule of `settings` among so many neighbours; undefined when the rule itself holds. */
export function fallbackOf(settings: RuleSettings, neighbourCount: number): Fallback | undefined {
  const min = neighboursMin(settings);
  if (neighbourCount >= min) return undefined;
  return { rule: neighbourCount >= 3 ? "geometric-median" : "mean", neighboursMin: min };
}

/**
 * Fewest neighbours with which a rule is what its name says: a median, a clipped mean around one and a trimmed mean need
 * three to have a middle, a trimmed mean enough for one to be cut, Krum 2 f + 3. A geometric median of two is told
 * elsewhere (`degenerate`).
 */
export function neighboursMin(settings: RuleSettings): number {
  switch (settings.rule) {
    case "mean":
    case "geometric-median":
    case "clipped-gossip":
      return 1;
    case "median":
    case "centred-clipping":
      return 3;
    case "trimmed-mean": {
      const trim = given(settings, "trim");
      let min = Math.max(3, Math.floor(1 / trim));
      while (trimmedCount(trim, min) < 1) min++;
      return min;
    }
    case "krum":
    case "multi-krum":
      return krumPointsMin(given(settings, "faulty"));
  }
}

/**
 * The aggregate of points in the order of their peers, norm clip first, by the rule or what stands in for it.
 * Shapes: points [P] each, weights one per point, above 0, own [P] → [P].
 * Throws: RangeError when there is no point, the arguments do not fit each other, or the rule lacks its number.
 */
export function aggregateByRule(
  settings: RuleSettings,
  {
    points,
    weights,
    own,
    scratch,
  }: {
    readonly points: readonly Point[];
    readonly weights: readonly number[];
    readonly own: Point;
    /** ⌊points / 2⌋ P values that a norm clip writes to; new ones when absent. */
    readonly scratch?: Point;
  },
): Float64Array {
  const clipped = settings.normClip ? clipToMedianNorm(points, own, scratch) : points;
  const rule = fallbackOf(settings, points.length)?.rule ?? settings.rule;
  switch (rule) {
    case "mean":
      return weightedMean(clipped, weights);
    case "geometric-median":
      return geometricMedian(clipped, weights).z;
    case "median":
      return coordinateMedian(clipped, weights);
    case "trimmed-mean":
      return trimmedMean(clipped, weights, given(settings, "trim"));
    case "krum":
      return krum(clipped, given(settings, "faulty"));
    case "multi-krum":
      return multiKrum(clipped, weights, { faulty: given(settings, "faulty"), keep: settings.keep });
    case "centred-clipping":
      return centredClipping(clipped, weights, given(settings, "radius"));
    case "clipped-gossip":
      return clippedGossip(clipped, weights, { own, radius: given(settings, "radius") });
  }
}

/** A number that a valid manifest has with this rule. */
function given(settings: RuleSettings, field: "trim" | "faulty" | "radius"): number {
  const value = settings[field];
  if (value === undefined) throw new RangeError(`the rule ${settings.rule} needs aggregation.${field}`);
  return value;
}
