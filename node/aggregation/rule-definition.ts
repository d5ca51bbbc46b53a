/** What an aggregation rule is to the rest of the room: its fewest neighbours, and its function. */
import type { RuleSettings } from "../../protocol/network-manifest.ts";
import type { Point } from "./point.ts";

/** The settings of one rule. */
export type RuleOf<Rule extends RuleSettings["rule"]> = Extract<RuleSettings, { readonly rule: Rule }>;

/** Points in the order of their peers, weights one per point, above 0, and the peer's own adapter, all of one length. */
export interface RuleInput {
  readonly points: readonly Point[];
  readonly weights: readonly number[];
  readonly own: Point;
  /** The network's common start, from which all adapters went; unknown when absent. */
  readonly start?: Point | undefined;
  /** The tensors in a point that is a whole adapter; one part when absent. */
  readonly parts?: readonly { readonly offset: number; readonly length: number }[] | undefined;
  /** Told by a rule that chooses among its neighbours, before it returns. */
  readonly onVetted?: ((vetting: Vetting) => void) | undefined;
}

/** Whom a rule that chooses among its neighbours leaves in. */
export interface Vetting {
  /** How much each counts, 0 of those that are left out.  Shapes: one per point. */
  readonly counted: Float64Array;
  /** Those that count, one of each crowd of copies, those that lean the same way side by side. */
  readonly order: readonly number[];
}

/** One rule. */
export interface RuleDefinition<Rule extends RuleSettings["rule"]> {
  /** Fewest neighbours with which the rule is what its name says. */
  neighboursMin(settings: RuleOf<Rule>): number;
  /** Whether it has to see whole adapters, whatever the scope is. */
  readonly looksAtWholes?: true;
  /** Shapes: points [P] each, own [P] -> [P].  Throws: RangeError when the input does not fit. */
  aggregate(input: RuleInput, settings: RuleOf<Rule>): Float64Array;
}
