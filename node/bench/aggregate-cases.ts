/** The cases of `bench:aggregate`, and the limits that it holds the rules to. */
import type { RuleSettings } from "../../protocol/network-manifest.ts";

/** The size of a case. */
export interface AggregateShape {
  readonly neighbours: number;
  readonly parameters: number;
}

/** One rule at one size, and the limits that it is held to. */
export interface AggregateCase {
  readonly name: string;
  readonly shape: AggregateShape;
  readonly settings: RuleSettings;
  /** Most seconds of one aggregation on one core; absent where it is only measured. */
  readonly secondsMax?: number;
}

/** Peak memory above the inputs, as a share of them. */
export const OVERHEAD_MAX = 0.2;

/** Tensors that the flat vector is cut into: the linear layers of a small adapter. */
export const TENSOR_COUNT = 50;

/** Neighbours that lie, in each of the cases: every fourth, far away in one place. */
export const LIAR_EVERY = 4;

const WIDE: AggregateShape = { neighbours: 64, parameters: 1_000_000 };
const MANY: AggregateShape = { neighbours: 1000, parameters: 15_000 };

const RULES: readonly { readonly settings: RuleSettings; readonly wide?: number; readonly many?: number }[] = [
  { settings: { rule: "mean" }, wide: 0.15, many: 1 },
  { settings: { rule: "geometric-median" }, wide: 2, many: 1 },
  { settings: { rule: "median" }, wide: 3, many: 1 },
  { settings: { rule: "trimmed-mean", trim: 0.25 }, many: 1 },
  { settings: { rule: "centred-clipping", radius: 10 }, many: 1 },
  { settings: { rule: "clipped-gossip", radius: 10 }, many: 1 },
  { settings: { rule: "mean", normClip: true }, many: 1 },
  { settings: { rule: "multi-krum", faulty: 16 } },
  { settings: { rule: "vetted-mean" } },
];

/** All cases: every rule with few wide neighbours, and some with many. */
export const AGGREGATE_CASES: readonly AggregateCase[] = [
  ...RULES.map(({ settings, wide }) => caseOf(WIDE, settings, wide)),
  ...RULES.filter(({ many }) => many !== undefined).map(({ settings, many }) => caseOf(MANY, settings, many)),
];

function caseOf(shape: AggregateShape, settings: RuleSettings, secondsMax: number | undefined): AggregateCase {
  const rule = settings.normClip ? `${settings.rule}:norm-clip` : settings.rule;
  const name = `${rule}, ${shape.neighbours} x ${shape.parameters}`;
  return { name, shape, settings, ...(secondsMax !== undefined && { secondsMax }) };
}
