/** Digests of model directories, each computed once: they read all weights, and a start asks for them several times. */
import type { ModelDigest } from "../../protocol/network-manifest.ts";
import { type ModelFiles, modelDigest } from "../model/huggingface.ts";
import { modelFilesStamp, readModelFiles } from "../system/files/model-files.ts";

/** What a model directory holds, and its digests. */
export interface DigestedModel {
  readonly files: ModelFiles;
  readonly digest: ModelDigest;
}

/** Remembers the digests of a directory for as long as none of its files comes, goes or is written. */
export class ModelDigests {
  readonly #known = new Map<string, { readonly stamp: string; readonly digest: ModelDigest }>();

  /** A model directory, read.  Throws: MODEL_MISSING, MODEL_CONFIG, TOKENIZER_MISSING, SAFETENSORS_INVALID. */
  read(directory: string): DigestedModel {
    // Before anything is read: what changes meanwhile has another stamp.
    const stamp = modelFilesStamp(directory);
    const files = readModelFiles(directory);
    const known = this.#known.get(directory);
    if (known?.stamp === stamp) return { files, digest: known.digest };
    const digest = modelDigest(files);
    this.#known.set(directory, { stamp, digest });
    return { files, digest };
  }
}
