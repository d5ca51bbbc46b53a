import { describe, expect, it } from "vitest";
import type { Tokenizer } from "../model/tokenizer.ts";
import { prepareExamples } from "./dataset.ts";
import { encodeLabelled } from "./labelled-example.ts";
import type { DataRecord } from "./record.ts";

/** One id per letter, from 10 on; 1 before a text and 2 behind it. */
const tokenizer: Tokenizer = {
  encode: (text, { special = false } = {}) => {
    const ids = [...text].map((letter) => letter.charCodeAt(0) - 87);
    return special ? [1, ...ids, 2] : ids;
  },
  decode: () => "",
  beginId: 1,
  vocabularySize: 40,
};
const labels = ["no", "yes"];
const record = (prompt: string, response: string): DataRecord => ({ prompt, response, fields: {}, overflow: "cut" });

describe("examples of a classifier", () => {
  it("are the framed text and the number of its class", () => {
    const { examples, cut } = encodeLabelled([record("abc", "yes"), record("", " no ")], {
      tokenizer,
      labels,
      maxTokens: 8,
    });
    expect(examples).toEqual([
      { tokens: [1, 10, 11, 12, 2, 1], promptLength: 5 },
      { tokens: [1, 2, 0], promptLength: 2 },
    ]);
    expect(cut).toEqual({ records: 0, promptTokens: 0, responseTokens: 0 });
  });

  it("lose the end of a long text, and nothing of what frames it", () => {
    const { examples, cut } = encodeLabelled([record("abcdef", "no")], { tokenizer, labels, maxTokens: 4 });
    expect(examples).toEqual([{ tokens: [1, 10, 11, 2, 0], promptLength: 4 }]);
    expect(cut).toEqual({ records: 1, promptTokens: 4, responseTokens: 0 });
    expect(() => encodeLabelled([record("a", "no")], { tokenizer, labels, maxTokens: 2 })).toThrow(/needs 3 or more/);
  });

  it("need no frame", () => {
    const { beginId: _, ...bare } = { ...tokenizer, encode: (text: string) => tokenizer.encode(text) };
    const { examples } = encodeLabelled([record("abcdef", "no")], { tokenizer: bare, labels, maxTokens: 3 });
    expect(examples[0]!.tokens).toEqual([10, 11, 12, 0]);
  });

  it("of a class that the model does not have are one clear line", () => {
    expect(() =>
      encodeLabelled([record("a", "no"), record("b", "maybe")], { tokenizer, labels, maxTokens: 8 }),
    ).toThrow(
      expect.objectContaining({
        code: "DATA_FORMAT",
        message: expect.stringMatching(/^record 2: the response "maybe" is none of .* \(no, yes\); name them/),
      }),
    );
  });

  it("are what a data set of a model with labels is made of", () => {
    const sets = ["train", "validation", "test"].map((set) => ({ ...record(`a${set[0]}`, "yes"), fields: { set } }));
    const prepared = prepareExamples(sets, { tokenizer, labels, maxTokens: 8, batchSize: 1, seed: 1 });
    expect(prepared.sets.test).toEqual([{ tokens: [1, 10, 29, 2, 1], promptLength: 4 }]);
  });
});

describe("examples of a classifier of tokens", () => {
  const names = ["O", "B-PER", "I-PER"];
  const tagged = (words: readonly string[], tags: readonly (string | number)[]): DataRecord => ({
    ...record(words.join(" "), tags.join(" ")),
    tagged: { words, tags },
  });
  const options = { tokenizer: { ...tokenizer, encode: letters }, labels: names, ofTokens: true, maxTokens: 20 };

  /** One id per letter, and none for a blank. */
  function letters(text: string, { special = false } = {}): number[] {
    const ids = [...text.replaceAll(" ", "")].map((letter) => letter.charCodeAt(0) - 87);
    return special ? [1, ...ids, 2] : ids;
  }

  it("have the class of every word at its first token, by name or by number", () => {
    const { examples } = encodeLabelled([tagged(["ab", "c", "de"], ["B-PER", 2, "O"])], options);
    expect(examples).toEqual([{ tokens: [1, 10, 11, 12, 13, 14, 2, 1, 2, 0], promptLength: 7, places: [1, 3, 4] }]);
  });

  it("leave out words without a class, without tokens, and behind the end", () => {
    const { examples, cut } = encodeLabelled(
      [tagged(["ab", "", "c", "de", "f"], ["O", "O", -100, "B-PER", "O"]), tagged(["a"], [-100])],
      { ...options, maxTokens: 6 },
    );
    expect(examples).toEqual([{ tokens: [1, 10, 11, 12, 13, 2, 0, 1], promptLength: 6, places: [1, 4] }]);
    expect(cut).toEqual({ records: 1, promptTokens: 2, responseTokens: 0 });
  });

  it("are refused without tags, and with tags that the model does not have", () => {
    const refused = (one: DataRecord) => expect(() => encodeLabelled([one], options));
    refused(record("abc", "yes")).toThrow(/record 1: the model gives a class to every token/);
    refused(tagged(["a"], ["B-ORG"])).toThrow(/"B-ORG" is none of the model's classes \(O, B-PER, I-PER\)/);
    refused(tagged(["a"], [3])).toThrow(/"3" is none/);
  });
});
