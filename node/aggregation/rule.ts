/** The rules by which neighbours' adapters are put together, chosen by the manifest. */
import type { RuleSettings } from "../../protocol/network-manifest.ts";
import { AGGREGATION_RULES } from "../../protocol/settings/aggregation-rules.ts";
import type { VariantField } from "../../protocol/settings/variant.ts";
import { CENTRED_CLIPPING, CLIPPED_GOSSIP, clipToMedianNorm } from "./clipping.ts";
import { MEDIAN } from "./coordinate-median.ts";
import { GEOMETRIC_MEDIAN } from "./geometric-median.ts";
import { KRUM, MULTI_KRUM } from "./krum.ts";
import { MEAN } from "./mean.ts";
import type { Point } from "./point.ts";
import type { RuleDefinition, RuleInput, RuleOf } from "./rule-definition.ts";
import { TRIMMED_MEAN } from "./trimmed-mean.ts";
import { VETTED_MEAN } from "./vetted-mean.ts";

/** The rules by name. A new one is a file of its own and a line here. */
const RULES: { readonly [Rule in RuleSettings["rule"]]: RuleDefinition<Rule> } = {
  mean: MEAN,
  "geometric-median": GEOMETRIC_MEDIAN,
  median: MEDIAN,
  "trimmed-mean": TRIMMED_MEAN,
  krum: KRUM,
  "multi-krum": MULTI_KRUM,
  "centred-clipping": CENTRED_CLIPPING,
  "clipped-gossip": CLIPPED_GOSSIP,
  "vetted-mean": VETTED_MEAN,
};

/** Throws: RangeError when a number is missing, which every valid manifest has. */
function definitionOf<Rule extends RuleSettings["rule"]>(settings: RuleOf<Rule>): RuleDefinition<Rule> {
  for (const [field, { optional }] of Object.entries<VariantField>(AGGREGATION_RULES[settings.rule].fields)) {
    if (optional || Object.hasOwn(settings, field)) continue;
    throw new RangeError(`the rule ${settings.rule} needs aggregation.${field}`);
  }
  return RULES[settings.rule] as unknown as RuleDefinition<Rule>;
}

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
  return definitionOf(settings).neighboursMin(settings);
}

/** Whether a rule has to see whole adapters, whatever the scope is. */
export function looksAtWholes(settings: RuleSettings): boolean {
  return definitionOf(settings).looksAtWholes === true;
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
    start,
    parts,
    onVetted,
    scratch,
  }: RuleInput & {
    /** ⌊points / 2⌋ P values that a norm clip writes to; new ones when absent. */
    readonly scratch?: Point;
  },
): Float64Array {
  const input = {
    points: settings.normClip ? clipToMedianNorm(points, own, scratch) : points,
    weights,
    own,
    start,
    parts,
    onVetted,
  };
  const fallback = fallbackOf(settings, points.length);
  if (fallback) return aggregate(input, { rule: fallback.rule });
  return aggregate(input, settings);
}

function aggregate(input: RuleInput, settings: RuleSettings): Float64Array {
  return definitionOf(settings).aggregate(input, settings);
}
