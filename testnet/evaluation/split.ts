/** How data is divided among the peers of an evaluation. */

/**
 * distinct: every peer its own task. mixed: half of every peer's data is of its own task, a quarter of the next, the rest of all
 * others. mixture: tasks differ in size, and every peer has a random share of all data, as in the Mixed Task of FedReFT
 * (arXiv:2508.20295). dirichlet: the share that each peer gets of each task is drawn with this concentration. iid: tasks of
 * one size, and everybody the same mixture.
 */
export type Split =
  | { readonly kind: "distinct" }
  | { readonly kind: "mixed" }
  | { readonly kind: "mixture" }
  | { readonly kind: "dirichlet"; readonly alpha: number }
  | { readonly kind: "iid" };

/** In one word, as in file names: `mixed`, `dirichlet-0.1`. */
export function splitName(split: Split): string {
  return split.kind === "dirichlet" ? `dirichlet-${split.alpha}` : split.kind;
}
