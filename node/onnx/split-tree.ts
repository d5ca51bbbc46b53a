/**
 * Cutting a vector into many parts, a few at a time. WebGPU lets one kernel read and write 8 buffers and no more
 * (maxStorageBuffersPerShaderStage, W3C WebGPU, section 3.6.2), and an adapter has hundreds of tensors.
 */
import { split } from "./operators.ts";
import type { OnnxValue } from "./value.ts";

/** Outputs of one Split: with its input these are 8 buffers. */
export const SPLIT_OUTPUTS_MAX = 7;

/** x f32[n], sizes that sum to n -> one f32[size] each, in order: the values of `split`, by a tree of small ones. */
export function splitTree(x: OnnxValue, sizes: readonly number[]): readonly OnnxValue[] {
  if (sizes.length <= SPLIT_OUTPUTS_MAX) return split(x, sizes, 0);
  const groups = grouped(sizes);
  const lengths = groups.map((group) => group.reduce((sum, size) => sum + size, 0));
  return splitTree(x, lengths).flatMap((part, i) => split(part, groups[i]!, 0));
}

const grouped = (sizes: readonly number[]): readonly (readonly number[])[] =>
  Array.from({ length: Math.ceil(sizes.length / SPLIT_OUTPUTS_MAX) }, (_, i) =>
    sizes.slice(i * SPLIT_OUTPUTS_MAX, (i + 1) * SPLIT_OUTPUTS_MAX),
  );
