/** The base model that all simulated peers share: its files, its tokenizer, and the sessions that run it. */
import type { Runtime } from "../../node/interface/runtime.ts";
import type { BaseModel } from "../../node/model/base-model.ts";
import type { ModelFiles } from "../../node/model/huggingface.ts";
import { loadBaseModel } from "../../node/model/huggingface.ts";
import type { Tokenizer } from "../../node/model/tokenizer.ts";
import { tokenizerOfFiles } from "../../node/model/tokenizer.ts";
import { createOnnxRuntime } from "../../node/system/compute/onnxruntime.ts";
import { readModelFiles } from "../../node/system/files/model-files.ts";
import { shareSessions } from "./shared-sessions.ts";

/** One base model, opened once for all simulated peers. */
export interface SharedBase {
  readonly directory: string;
  readonly files: ModelFiles;
  readonly model: BaseModel;
  readonly tokenizer: Tokenizer;
  /** Its sessions are shared, and stay until `release`. */
  readonly runtime: Runtime;
  /** Its sessions are the caller's: for graphs that are run once. */
  readonly ownRuntime: Runtime;
  readonly threads: number;
  /** Frees the sessions that were loaded so far; the base can be used again. */
  release(): Promise<void>;
}

/** Throws: MODEL_MISSING, MODEL_CONFIG, TOKENIZER_MISSING, SAFETENSORS_INVALID. */
export function openSharedBase(directory: string, { threads }: { readonly threads: number }): SharedBase {
  const files = readModelFiles(directory);
  const ownRuntime = createOnnxRuntime();
  const sessions = shareSessions(ownRuntime);
  return {
    directory,
    files,
    model: loadBaseModel(files),
    tokenizer: tokenizerOfFiles(files),
    runtime: sessions.runtime,
    ownRuntime,
    threads,
    release: sessions.close,
  };
}
