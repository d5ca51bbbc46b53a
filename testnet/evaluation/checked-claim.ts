/** What a claim turned out to be in this evaluation. */

import { SEEDS_MIN } from "./paired.ts";

/** Whether a claim holds in this evaluation; not decided where settings of too few seeds would have to decide. */
export type Finding = "holds" | "does not hold" | "not decided" | "not measured";

/** One setting in which a claim was measured. */
export interface Evidence {
  readonly holds: boolean;
  /** The numbers. */
  readonly text: string;
  /** Seeds behind every number of it. */
  readonly seeds: number;
}

/** One claim, what was found, and the figures for it. */
export interface CheckedClaim {
  readonly name: string;
  readonly source: string;
  readonly claim: string;
  readonly finding: Finding;
  /** One for each setting in which it was measured. */
  readonly evidence: readonly Evidence[];
}

/** A claim holds where it holds in every setting; one that fails with enough seeds is enough against it. */
export function findingOf(evidence: readonly Evidence[]): Finding {
  if (evidence.length === 0) return "not measured";
  const firm = evidence.filter(({ seeds }) => seeds >= SEEDS_MIN);
  if (firm.some(({ holds }) => !holds)) return "does not hold";
  return firm.length < evidence.length ? "not decided" : "holds";
}
