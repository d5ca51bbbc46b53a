import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { taskSamples } from "../data/embedded/default-tasks.ts";
import { createTokenizer } from "../model/tokenizer.ts";
import { tokenizerTexts } from "./corpus.ts";
import { trainTokenizer, VOCABULARY_SIZE } from "./tokenizer-trainer.ts";

const texts = tokenizerTexts({ seed: 1, count: 5000 });
const files = trainTokenizer(texts);
const tokenizer = createTokenizer(files);

interface Bpe {
  readonly vocab: Record<string, number>;
  readonly merges: readonly string[];
}

describe("tokenizer trainer", () => {
  test("training twice gives the same file", () => {
    expect(JSON.stringify(trainTokenizer(texts))).toBe(JSON.stringify(files));
  });

  test("the file has the asked size, dense ids, and a token for every merge", () => {
    const { vocab, merges } = files.tokenizerJson.model as Bpe;
    expect(tokenizer.vocabularySize).toBe(VOCABULARY_SIZE);
    expect(Object.values(vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: VOCABULARY_SIZE }, (_, i) => i));
    for (const merge of merges) expect(vocab[merge.replace(" ", "")], merge).toBeDefined();
  });

  test("merges are those of a slow trainer that counts pairs in the words as they stand", () => {
    const sample = ["low low low lower lower newest newest newest newest widest widest"];
    const { vocab, merges } = trainTokenizer(sample, { vocabularySize: 259 + 12 }).tokenizerJson.model as Bpe;
    expect(merges).toEqual(slowMerges(sample[0]!, 12));
    expect(Object.keys(vocab)).toHaveLength(271);
  });

  test("begin stands before a text and nothing after it; begin and end have ids of their own", () => {
    expect(tokenizer.beginId).toBe(1);
    expect(tokenizer.endId).toBe(2);
    const ids = tokenizer.encode("copy: cat dog ->");
    expect(tokenizer.encode("copy: cat dog ->", { special: true })).toEqual([1, ...ids]);
  });

  test("nearly every word of the embedded text is one token", () => {
    const words = texts.flatMap((text) => text.match(/ ?\p{L}+| ?\p{N}+/gu) ?? []);
    const single = words.filter((word) => tokenizer.encode(word).length === 1).length;
    expect(single / words.length).toBeGreaterThan(0.99);
  });

  test("a prompt and its response are cut apart where one ends, so that they can be encoded one by one", () => {
    for (const { prompt, response } of taskSamples({ seed: 2, group: "tuned", count: 20 })) {
      expect(tokenizer.encode(prompt + response)).toEqual([...tokenizer.encode(prompt), ...tokenizer.encode(response)]);
    }
  });

  test("any text comes back as it was, words of the vocabulary or not", () => {
    const unicode = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => !text.includes("<|"));
    fc.assert(
      fc.property(unicode, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
      { examples: [["The fox is wet.\n\n\tZoë — 犬 🦊"], [""]] },
    );
  });

  test("training stops when no pair is left to merge, and refuses a size without room for the bytes", () => {
    const { vocab } = trainTokenizer(["aaaa", "aaaa"], { vocabularySize: 1000 }).tokenizerJson.model as Bpe;
    expect(Object.keys(vocab)).toHaveLength(259 + 2);
    expect(() => trainTokenizer(["a"], { vocabularySize: 258 })).toThrow(/258 tokens is too small; use 259 or more/);
  });
});

/** BPE by the book over a text of plain letters: one string per word, symbols separated by spaces. */
function slowMerges(text: string, count: number): string[] {
  let words = (text.match(/ ?\w+/g) ?? []).map((word) => [...word.replace(" ", "Ġ")].join(" "));
  const merges: string[] = [];
  while (merges.length < count) {
    const pairs = words.flatMap((word) =>
      word.split(" ").flatMap((s, i, all) => (i > 0 ? [`${all[i - 1]} ${s}`] : [])),
    );
    const ranked = [...new Set(pairs)]
      .map((pair) => ({ pair, count: pairs.filter((other) => other === pair).length }))
      .sort((a, b) => b.count - a.count || (a.pair < b.pair ? -1 : 1));
    const { pair } = ranked[0]!;
    merges.push(pair);
    words = words.map((word) => ` ${word} `.replaceAll(` ${pair} `, ` ${pair.replace(" ", "")} `).trim());
  }
  return merges;
}
