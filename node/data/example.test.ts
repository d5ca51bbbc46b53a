import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tokenizer } from "../model/tokenizer.ts";
import { encodeRecords } from "./example.ts";
import type { DataRecord } from "./record.ts";

const BEGIN = 1;
const END = 2;

/** One token per character; `~` joins with the character before it, as a tokenizer may join across a seam. */
const tokenizer = (special: boolean): Tokenizer => ({
  encode: (text) => (text.match(/[^~]~|./gsu) ?? []).map((piece) => 10 + piece.charCodeAt(0) * piece.length),
  decode: (ids) => ids.map((id) => String.fromCharCode(id - 10)).join(""),
  ...(special ? { beginId: BEGIN, endId: END } : {}),
  vocabularySize: 1000,
});
const ids = (text: string): number[] => tokenizer(true).encode(text);
const record = (prompt: string, response: string, overflow: DataRecord["overflow"] = "cut"): DataRecord => ({
  prompt,
  response,
  fields: {},
  overflow,
});
const encode = (records: DataRecord[], maxTokens: number, special = true) =>
  encodeRecords(records, { tokenizer: tokenizer(special), maxTokens });

describe("records that fit", () => {
  test("begin, prompt, response, end; the prompt's length counts the begin token", () => {
    const { examples, cut } = encode([record("ab", "cd")], 16);
    expect(examples).toEqual([{ tokens: [BEGIN, ...ids("abcd"), END], promptLength: 3 }]);
    expect(cut).toEqual({ records: 0, promptTokens: 0, responseTokens: 0 });
  });

  test("without special tokens there are none", () => {
    expect(encode([record("ab", "cd")], 16, false).examples).toEqual([{ tokens: ids("abcd"), promptLength: 2 }]);
  });

  test("a response whose start would join the prompt's end is encoded by itself", () => {
    const { examples } = encode([record("ab", "~d")], 16);
    expect(examples).toEqual([{ tokens: [BEGIN, ...ids("ab"), ...ids("~d"), END], promptLength: 3 }]);
  });

  test("an empty prompt is the begin token, or the response's first token where there is none", () => {
    expect(encode([record("", "cd")], 16).examples[0]).toEqual({ tokens: [BEGIN, ...ids("cd"), END], promptLength: 1 });
    expect(encode([record("", "cd")], 16, false).examples[0]).toEqual({ tokens: ids("cd"), promptLength: 1 });
  });

  test("a record without a response gives no example, and so does a lone first token", () => {
    expect(encode([record("ab", "")], 16).examples).toEqual([]);
    expect(encode([record("", "c")], 16, false).examples).toEqual([]);
  });
});

describe("rows that are too long are cut", () => {
  const rows: [
    title: string,
    prompt: string,
    response: string,
    maxTokens: number,
    kept: [string, string],
    cut: number[],
  ][] = [
    ["one token too many: the prompt's first", "abc", "de", 6, ["bc", "de."], [1, 1, 0]],
    ["a long prompt keeps its right side", "abcdefgh", "xy", 5, ["h", "xy."], [1, 7, 0]],
    ["then the response loses its right side", "abcd", "vwxyz", 5, ["d", "vwx"], [1, 3, 3]],
    ["where both are long, each gets half of the room", "abcdefghij", "klmnopqrst", 10, ["ghij", "klmno"], [1, 6, 6]],
    ["the end token goes first", "a", "xy", 4, ["a", "xy"], [1, 0, 1]],
    ["never to zero", "abcd", "xyz", 3, ["d", "x"], [1, 3, 3]],
    ["begin alone when there is room for two", "abcd", "xyz", 2, ["", "x"], [1, 4, 3]],
  ];
  test.each(rows)(
    "%s",
    (_, prompt, response, maxTokens, [keptPrompt, keptResponse], [records, promptTokens, responseTokens]) => {
      const { examples, cut } = encode([record(prompt, response)], maxTokens);
      const answer = keptResponse.endsWith(".") ? [...ids(keptResponse.slice(0, -1)), END] : ids(keptResponse);
      expect(examples).toEqual([
        { tokens: [BEGIN, ...ids(keptPrompt), ...answer], promptLength: 1 + keptPrompt.length },
      ]);
      expect(cut).toEqual({ records, promptTokens, responseTokens });
    },
  );
});

describe("running text that is too long goes on in windows", () => {
  test("a window's prompt is the last 8 tokens of the one before", () => {
    const text = "abcdefghijklmnopqrstuvwxyz";
    const { examples } = encode([record("A:", text, "continue")], 20);
    expect(examples).toEqual([
      { tokens: [BEGIN, ...ids(`A:${text.slice(0, 17)}`)], promptLength: 3 },
      { tokens: [...ids(text.slice(9)), END], promptLength: 8 },
    ]);
  });

  test("every response token is a label once, whatever the lengths, and nothing is longer than allowed", () => {
    fc.assert(
      fc.property(
        fc.record({
          prompt: fc.stringMatching(/^[a-z]{0,30}$/),
          response: fc.stringMatching(/^[a-z]{2,80}$/),
          maxTokens: fc.integer({ min: 2, max: 40 }),
          special: fc.boolean(),
        }),
        ({ prompt, response, maxTokens, special }) => {
          const { examples } = encode([record(prompt, response, "continue")], maxTokens, special);
          const labels = examples.flatMap(({ tokens, promptLength }) => tokens.slice(promptLength));
          const all = special ? [...ids(response), END] : ids(response);
          expect(labels).toEqual(prompt === "" && !special ? all.slice(1) : all);
          for (const { tokens, promptLength } of examples) {
            expect(tokens.length).toBeLessThanOrEqual(maxTokens);
            expect(promptLength).toBeGreaterThanOrEqual(1);
          }
        },
      ),
    );
  });

  test("an example has room for a prompt and a response", () => {
    expect(() => encode([], 1)).toThrow(/maxTokens is 1; it must be 2 or more/);
  });
});
