/** A rule that a program brings for its own peer, in place of the network's. Other peers neither know nor need it. */
import { NodeError } from "../errors.ts";
import { ageOf, type NeighbourUpdate } from "./neighbour.ts";

/** The adapter of one neighbour, as a rule of a program's own is given it. */
export interface RuleUpdate {
  /** Its author's id. */
  readonly peer: string;
  /** f32[P]: all tensors of the adapter one after another, turned into this peer's own gauge; finite. */
  readonly values: Float32Array;
  /** Its share of the weight by the network's weights and its age; all add up to 1. */
  readonly weight: number;
  /** Rounds that it is behind. */
  readonly age: number;
}

/** What a rule of a program's own puts together. */
export interface OwnRuleInput {
  /** At least one, in rising order of peer id. Their values may not be changed. */
  readonly updates: readonly RuleUpdate[];
  /** f32[P]: this peer's own adapter. All-But-Me: it should not enter what is returned. */
  readonly own: Float32Array;
  /** Counted from 0. */
  readonly round: number;
}

/** A rule of a program's own. It runs on the thread that speaks to the network: a slow one delays answers to others. */
export interface OwnRule {
  /** For the log. */
  readonly name: string;
  /** The aggregate of the neighbours' adapters, as long as each of them. */
  aggregate(input: OwnRuleInput): Float32Array | Float64Array;
}

/**
 * The aggregate by a program's own rule, a copy.  Shapes: points f32[P] each, own f32[P] -> f64[P].
 * Throws: CONFIG_INVALID where the rule fails, or returns something that is no vector of that length.
 */
export function byOwnRule(
  rule: OwnRule,
  {
    points,
    weights,
    own,
    used,
    round,
  }: {
    readonly points: readonly Float32Array[];
    readonly weights: readonly number[];
    readonly own: Float32Array;
    readonly used: readonly NeighbourUpdate[];
    readonly round: number;
  },
): Float64Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const updates = used.map((update, i) => ({
    peer: update.peer,
    values: points[i]!,
    weight: weights[i]! / total,
    age: ageOf(update, round),
  }));
  const z = aggregated(rule, { updates, own, round });
  const isVector = z instanceof Float32Array || z instanceof Float64Array;
  if (isVector && z.length === own.length) return Float64Array.from(z);
  const found = isVector ? `${z.length} values` : typeof z;
  const text = `the aggregation rule "${rule.name}" returned ${found} where an adapter has ${own.length} values`;
  throw new NodeError("CONFIG_INVALID", text, { rule: rule.name });
}

function aggregated(rule: OwnRule, input: OwnRuleInput): unknown {
  try {
    return rule.aggregate(input);
  } catch (cause) {
    const text = `the aggregation rule "${rule.name}" failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new NodeError("CONFIG_INVALID", text, { rule: rule.name }, { cause });
  }
}
