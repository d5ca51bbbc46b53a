import { describe, expect, test } from "vitest";
import { BASE_KINDS } from "../data/embedded/base-kinds.ts";
import { TUNED_KINDS } from "../data/embedded/tuned-kinds.ts";
import { pretrainingDocuments, pretrainingStream, tokenizerTexts } from "./corpus.ts";

describe("pre-training corpus", () => {
  const documents = pretrainingDocuments({ seed: 9, count: 2000 });

  test("the seed decides every document, and a longer corpus starts with the shorter one", () => {
    expect(pretrainingDocuments({ seed: 9, count: 100 })).toEqual(documents.slice(0, 100));
    expect(pretrainingDocuments({ seed: 8, count: 100 })).not.toEqual(documents.slice(0, 100));
    expect([...pretrainingStream({ seed: 9, count: 100 })]).toEqual(documents.slice(0, 100));
  });

  test("it holds stories and every base kind, and never a tuned kind", () => {
    const kinds = new Set(documents.map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(["story", ...BASE_KINDS.map(({ name }) => name)]));
    for (const { name } of TUNED_KINDS) expect(kinds.has(name)).toBe(false);
    const instructions = new RegExp(`^(${TUNED_KINDS.map(({ name }) => name).join("|")}):|is not \\w+\\. is the| who `);
    expect(documents.filter(({ prompt }) => instructions.test(prompt))).toEqual([]);
  });

  test("stories have no prompt, tasks have one", () => {
    for (const { kind, prompt } of documents) expect(prompt === "").toBe(kind === "story");
    const stories = documents.filter(({ kind }) => kind === "story").length;
    expect(stories / documents.length).toBeCloseTo(0.25, 1);
    expect(pretrainingDocuments({ seed: 9, count: 50, taskShare: 0 }).every(({ kind }) => kind === "story")).toBe(true);
  });

  test("the texts for the tokenizer know the words of the tuned kinds", () => {
    const text = tokenizerTexts({ seed: 9, count: 200 }).join("\n");
    for (const word of ["second:", "ends:", "reverse:", "opposites:", "animal:", "sort:", "who has"]) {
      expect(text).toContain(word);
    }
  });
});
