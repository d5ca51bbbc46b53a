/** What is said of the frozen base, and of the memory that a training takes, before anything is computed. */
import type { EngineOptions, TrainingMemory } from "../node/index.ts";
import type { AgreedBase } from "../protocol/network-manifest.ts";
import { formatBytes } from "../testnet/words/text-table.ts";

/** The form in which the base is kept, and the digest of a narrow one. */
export const baseLine = (base: AgreedBase): string =>
  base.form === "f32" ? "base in f32" : `base in ${base.form}, digest ${base.digest}`;

/** The form of the base, the arithmetic where it is not f32, and what of memory the training takes. */
export function memoryLine(
  { needed, memory }: TrainingMemory,
  { base = "f32", precision = "fp32" }: Pick<EngineOptions, "base" | "precision">,
): string {
  const [total, weights, activations] = [needed.total, needed.weights, needed.activations].map(formatBytes);
  const other = precision === "fp32" ? "" : `, training and its losses in ${precision}`;
  return `base in ${base}${other}; about ${total} of memory (weights ${weights}, activations ${activations}), ${formatBytes(memory.available)} are available`;
}
