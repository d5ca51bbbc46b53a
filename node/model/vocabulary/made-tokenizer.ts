/** The files of a model directory whose tokenizer is made of older files, when it is asked for. */
import { NodeError } from "../../errors.ts";
import type { ModelFiles } from "../huggingface.ts";
import { type VocabularySource, vocabularyTokenizer } from "./vocabulary-tokenizer.ts";

/** How transformers writes a tokenizer.json. */
export const WRITE_TOKENIZER =
  "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) of transformers writes tokenizer.json";

type Made = Pick<ModelFiles, "tokenizer" | "tokenizerConfig" | "tokenizerHint">;

/**
 * The same files with a tokenizer, or, where none can be made, with the reason as `tokenizerHint`. It is made once, when one of the three
 * is first read: a large vocabulary takes seconds, and who trains nothing needs none.
 */
export function madeTokenizer(files: ModelFiles, folder: Pick<VocabularySource, "names" | "read">): ModelFiles {
  const source = { ...files, ...folder };
  let known: Made | undefined;
  const made = (): Made => {
    known ??= make(source);
    return known;
  };
  return Object.defineProperties(
    { ...files },
    {
      tokenizer: { get: () => made().tokenizer, enumerable: true },
      tokenizerConfig: { get: () => made().tokenizerConfig, enumerable: true },
      tokenizerHint: { get: () => made().tokenizerHint, enumerable: true },
    },
  );
}

function make(source: ModelFiles & VocabularySource): Made {
  try {
    const { tokenizerJson, tokenizerConfig } = vocabularyTokenizer(source);
    return { tokenizer: new TextEncoder().encode(JSON.stringify(tokenizerJson)), tokenizerConfig };
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    const tokenizerHint = `none can be made of the other files: ${error.message}; get them again, or ${WRITE_TOKENIZER}`;
    return { tokenizerConfig: source.tokenizerConfig, tokenizerHint };
  }
}
