/** Parts of tokenizers that the library computes otherwise: the pieces and ids of Hugging Face's own tokenizers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createTokenizer } from "./tokenizer.ts";

interface Golden {
  readonly texts: readonly string[];
  readonly cases: readonly { readonly part: object; readonly pieces: readonly (readonly string[])[] }[];
  readonly unigram: Readonly<Record<string, readonly number[]>>;
}

const golden: Golden = JSON.parse(readFileSync(join(import.meta.dirname, "golden/tokenizers/parts.json"), "utf8"));

/** A tokenizer whose words are these pieces, so that its ids tell how a text was divided. */
function dividing(part: object, pieces: readonly string[]) {
  const vocab = Object.fromEntries(["<unk>", ...new Set(pieces)].map((piece, id) => [piece, id]));
  const model = { type: "WordLevel", vocab, unk_token: "<unk>" };
  const { encode } = createTokenizer({ tokenizerJson: { model, pre_tokenizer: part }, tokenizerConfig: {} });
  return { encode, ids: pieces.map((piece) => vocab[piece]) };
}

describe("a text is divided as by Hugging Face's tokenizers", () => {
  it.each(golden.cases.map(({ part, pieces }) => [JSON.stringify(part), part, pieces] as const))(
    "by %s",
    (_, part, pieces) => {
      for (const [i, text] of golden.texts.entries()) {
        const { encode, ids } = dividing(part, pieces[i] ?? []);
        expect(encode(text), text).toEqual(ids);
      }
    },
  );
});

describe("a model of pieces with byte_fallback", () => {
  it("writes what it does not know as bytes", () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => [
      `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
      -9,
    ]);
    const vocab = [["<unk>", 0], ["▁", -2], ["a", -3], ["b", -3], ["ab", -4], ...bytes];
    const { encode } = createTokenizer({
      tokenizerJson: {
        model: { type: "Unigram", unk_id: 0, vocab, byte_fallback: true },
        pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      },
      tokenizerConfig: {},
    });
    for (const [text, ids] of Object.entries(golden.unigram)) expect(encode(text), text).toEqual(ids);
  });
});

describe("a tokenizer is refused", () => {
  const model = { type: "WordLevel", vocab: { "<unk>": 0, a: 1 }, unk_token: "<unk>" };
  const added = {
    id: 2,
    content: "TOK",
    single_word: true,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: false,
  };

  it.each<[string, object, string]>([
    [
      "with a token that stands for a whole word alone",
      { model, added_tokens: [added] },
      'the token "TOK" stands for a whole word',
    ],
    [
      "with a part that weft does not have",
      { model, pre_tokenizer: { type: "UnicodeScripts" } },
      "choose a model with another tokenizer",
    ],
    ["with words alone and none for others", { model: { ...model, unk_token: null } }, "has no unk_token"],
    ["that is damaged", {}, "take it from the model again"],
  ])("%s", (_, tokenizerJson, text) => {
    expect(() => createTokenizer({ tokenizerJson, tokenizerConfig: {} })).toThrow(text);
  });
});
