/** What a claim turned out to be in this evaluation. */

/** Whether a claim holds in this evaluation. */
export type Finding = "holds" | "does not hold" | "not measured";

/** One claim, what was found, and the figures for it. */
export interface CheckedClaim {
  readonly name: string;
  readonly source: string;
  readonly claim: string;
  readonly finding: Finding;
  /** One for each setting in which it was measured, with the numbers. */
  readonly evidence: readonly { readonly holds: boolean; readonly text: string }[];
}
