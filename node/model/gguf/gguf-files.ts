/** A GGUF file as the files of a model directory: what a family, a tokenizer and a chat template are read from. */
import type { ModelFiles } from "../huggingface.ts";
import { tensorValues, type WeightFile } from "../weight-file.ts";
import { ggufModel } from "./gguf-config.ts";
import { readGgufHeader } from "./gguf-header.ts";
import { ggufTensors } from "./gguf-tensors.ts";
import { ggufTokenizer } from "./gguf-tokenizer.ts";

/** Files that stand beside it and go before what it says itself. */
export type BesideGguf = Pick<
  ModelFiles,
  "tokenizer" | "tokenizerConfig" | "addedTokens" | "specialTokensMap" | "generationConfig"
>;

/**
 * path: of the file, for error lines. Where a tokenizer.json stands beside the file it is taken instead of the file's own tokens.
 * Throws: MODEL_CONFIG, one line, for a file that is damaged or that weft does not read.
 */
export function ggufFiles(path: string, file: WeightFile, beside: BesideGguf): ModelFiles {
  const header = readGgufHeader(file);
  const rope = ggufTensors(file, header, (name) => (name === "rope_freqs.weight" ? { name } : undefined)).get(
    "rope_freqs.weight",
  );
  const { config, roleOf } = ggufModel(path, header, rope && tensorValues(rope));
  const files = { directory: path, config, shards: [file], located: ggufTensors(file, header, roleOf) };
  if (beside.tokenizer) return { ...files, ...beside };
  const { tokenizerJson, tokenizerConfig, endIds } = ggufTokenizer(path, header);
  return {
    ...files,
    tokenizer: new TextEncoder().encode(JSON.stringify(tokenizerJson)),
    tokenizerConfig,
    generationConfig: { eos_token_id: [...endIds] },
  };
}
