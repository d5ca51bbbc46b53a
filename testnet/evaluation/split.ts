/** How data is divided among the peers of an evaluation. */

/**
 * distinct: every peer its own task. mixed: every peer its own share of the mixture of tasks. dirichlet: the share that
 * each peer gets of each task is drawn with this concentration. iid: everybody the same mixture.
 */
export type Split =
  | { readonly kind: "distinct" }
  | { readonly kind: "mixed" }
  | { readonly kind: "dirichlet"; readonly alpha: number }
  | { readonly kind: "iid" };

/** In one word, as in file names: `mixed`, `dirichlet-0.1`. */
export function splitName(split: Split): string {
  return split.kind === "dirichlet" ? `dirichlet-${split.alpha}` : split.kind;
}
