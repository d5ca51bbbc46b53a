import { describe, expect, it } from "vitest";
import { extracted } from "./task-evaluation.ts";
import { itemOf } from "./task-items.ts";

const choice = { task: "t", prompt: "p", choices: ["a", "b"], answer: 1 };
const text = { task: "t", prompt: "p", target: "x" };

describe("an item of a task", () => {
  it("has choices, or a target and bounds of what is written", () => {
    expect(itemOf(choice, "f", 1)).toEqual({ ...choice, delimiter: " " });
    expect(itemOf(text, "f", 1)).toEqual({ ...text, until: [], tokensMax: 64 });
  });

  it.each([
    [{ ...choice, answer: 2 }, "answer must be the number of a choice"],
    [{ ...choice, choices: ["a"] }, "choices: "],
    [{ ...choice, color: 1 }, "color"],
    [{ task: "t", prompt: "p" }, "target: "],
    [{ ...text, extract: "(" }, "extract: "],
    [{ ...text, prompt: "" }, "prompt: "],
  ])("is refused with its line where it is %j", (value, words) => {
    expect(() => itemOf(value, "tasks.jsonl", 7)).toThrow(`tasks.jsonl:7: ${words.startsWith("color") ? "" : words}`);
    expect(() => itemOf(value, "tasks.jsonl", 7)).toThrow(words);
  });
});

describe("an answer in a written text", () => {
  it.each([
    [" 7 ", undefined, "7"],
    ["1 and 2, so 3.", "[0-9]+", "3"],
    ["the answer is (B)", "\\(([A-D])\\)", "B"],
    ["nothing", "[0-9]+", ""],
  ])("%j by %j is %j", (written, extract, answer) => {
    expect(extracted(written, extract === undefined ? {} : { extract })).toBe(answer);
  });
});
