/** Copies of weights that nobody makes: what a graph would read of them, for plans. */
import type { ModelFiles } from "../huggingface.ts";
import type { WeightCopy } from "../weight-copy.ts";
import type { WeightFile } from "../weight-file.ts";

/** The files of a model whose copies in another form are only described; their values cannot be read. */
export const withUnmadeCopies = (files: ModelFiles): ModelFiles => ({ ...files, cache: { open: unmade } });

function unmade({ key, header, fileBytes }: WeightCopy): WeightFile {
  const read = (offset: number, length: number): Uint8Array => {
    if (offset + length > header.length) throw new RangeError("the values of a copy that was not made");
    return header.subarray(offset, offset + length);
  };
  return { path: `${key}.safetensors`, name: key, stamp: key, fileBytes, data: header, read };
}
