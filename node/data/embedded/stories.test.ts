import { describe, expect, test } from "vitest";
import { createPrng } from "../../../protocol/prng.ts";
import { pretrainingText } from "./stories.ts";
import { LIST_WORDS, OPPOSITE_PAIRS, oppositeOf, PLURALS } from "./vocabulary.ts";

describe("embedded text", () => {
  const stories = pretrainingText(createPrng(4), 3000);

  test("the same stream gives the same stories", () => {
    expect(pretrainingText(createPrng(4), 50)).toEqual(stories.slice(0, 50));
    expect(pretrainingText(createPrng(5), 50)).not.toEqual(stories.slice(0, 50));
  });

  test("stories are short lines of whole sentences from a closed vocabulary", () => {
    for (const story of stories) {
      expect(story).toMatch(/^[A-Za-z"][A-Za-z ,.:?"]+[."]$/);
      expect(story).not.toMatch(/undefined| {2}|\ba [aeiou]|\ban [^aeiou]/);
      expect(story.split(/[.?] /).length, story).toBeLessThanOrEqual(8);
    }
    const words = new Set(stories.flatMap((story) => story.match(/[A-Za-z]+/g) ?? []));
    expect(words.size).toBeGreaterThan(200);
    expect(words.size).toBeLessThan(350);
  });

  test("what a story says of opposites is right", () => {
    const denials = stories.flatMap((story) => [...story.matchAll(/is not (\w+)\. It is (\w+)\./g)]);
    expect(denials.length).toBeGreaterThan(50);
    for (const [text, denied, said] of denials) expect(oppositeOf(denied!), text).toBe(said);
  });

  test("no word stands in two lists, and no plural is a word of a list", () => {
    expect(new Set(LIST_WORDS).size).toBe(LIST_WORDS.length);
    expect([...PLURALS.values()].filter((many) => LIST_WORDS.includes(many))).toEqual([]);
    expect(new Set(OPPOSITE_PAIRS.flat()).size).toBe(2 * OPPOSITE_PAIRS.length);
    expect(() => oppositeOf("cat")).toThrow(RangeError);
  });
});
