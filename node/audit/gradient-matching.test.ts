import { describe, expect, test } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { type MatchingOptions, matchGradient } from "./gradient-matching.ts";
import type { GradientMatcher } from "./matching-graph.ts";

const V = 24;
const TEXT = [1, 7, 3, 9, 7, 12, 5, 2];

/** A gradient that is the nearer the more tokens are in place; its slope is what it says it is. */
function countingMatcher(counts: { scores: number; guesses: number }): GradientMatcher {
  const direction = new Float32Array(TEXT.length * V);
  for (const [t, token] of TEXT.entries()) direction[t * V + token] = -1 / TEXT.length;
  const score = (p: Float32Array) => {
    const right = TEXT.reduce((sum, token, t) => sum + p[t * V + token]!, 0);
    return { distance: 1 - right / TEXT.length, surprise: 0 };
  };
  return {
    guess: async (p) => {
      counts.guesses += 1;
      return { ...score(p), direction, pull: new Float32Array(p.length) };
    },
    score: async (p) => {
      counts.scores += 1;
      return score(p);
    },
    close: async () => undefined,
  };
}

async function search(changes: Partial<MatchingOptions>) {
  const counts = { scores: 0, guesses: 0 };
  const found = await matchGradient(countingMatcher(counts), {
    shape: { tokens: TEXT.length, promptLength: 6 },
    vocabulary: V,
    prng: createPrng(3),
    steps: 0,
    attempts: 4,
    candidates: 2,
    passes: 6,
    ...changes,
  });
  return { ...found, ...counts };
}

describe("the search for a text by its gradient", () => {
  test.each<[string, Partial<MatchingOptions>]>([
    ["with nothing known", {}],
    ["with the tokens that are in it", { known: { tokens: [9, 12, 3, 7, 5, 1], inOrder: false } }],
    ["with its beginning", { known: { tokens: [1, 7, 3], inOrder: true } }],
    [
      "with a token that is not in it among those that are known",
      { known: { tokens: [9, 12, 20, 3, 7], inOrder: false } },
    ],
    ["with its edges", { frame: { first: 1, last: 2 } }],
  ])("ends with the very text, %s", async (_, changes) => {
    expect(await search(changes)).toMatchObject({ tokens: TEXT, distance: 0 });
  });

  test("tries no text twice in one attempt, none without the known tokens, and stops when there is nothing left to find", async () => {
    const known = { tokens: [9, 12, 3, 7, 5, 1], inOrder: false } as const;
    const tried: number[][] = [];
    const matcher = countingMatcher({ scores: 0, guesses: 0 });
    const score = async (p: Float32Array) => {
      tried.push(TEXT.map((_, t) => p.subarray(t * V, (t + 1) * V).indexOf(1)));
      return matcher.score(p);
    };
    const options = { shape: { tokens: TEXT.length, promptLength: 6 }, vocabulary: V, prng: createPrng(3), steps: 0 };
    const all = { ...options, attempts: 9, candidates: 2, passes: 6, known };
    expect((await matchGradient({ ...matcher, score }, all)).tokens).toEqual(TEXT);
    expect(new Set(tried.map(String)).size).toBe(tried.length);
    for (const text of tried) expect(known.tokens.every((token) => text.includes(token))).toBe(true);
  });

  test.each(["adam", "l-bfgs"] as const)("descends by %s to the text where the slope leads there", async (descent) => {
    const { tokens, scores, guesses } = await search({ steps: 60, attempts: 1, passes: 0, descent });
    expect(tokens).toEqual(TEXT);
    expect(scores).toBe(1);
    expect(guesses).toBeGreaterThan(0);
  });
});
