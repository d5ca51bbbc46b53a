import { expect, test } from "vitest";
import { commonsenseRecord, gsm8kRecord, isCommonsenseRight, isNumberRight, lastNumber } from "./paper-prompt.ts";

test("commonsense questions are asked as published, with the trigger words in the response", () => {
  const record = commonsenseRecord({ instruction: "Is it?\n\nAnswer format: true/false", answer: "true" });
  expect(record.prompt).toBe("Is it?\n\nAnswer format: true/false\n");
  expect(record.response).toBe("the correct answer is true");
  expect(isCommonsenseRight(record.response, "true")).toBe(true);
});

test("a commonsense answer is all that stands behind the first trigger words", () => {
  const rows: readonly (readonly [generated: string, right: boolean])[] = [
    ["the correct answer is answer2", true],
    ["Well, the correct answer is  answer2 \n", true],
    ["the correct answer is answer2.", false],
    ["the correct answer is answer1", false],
    ["the correct answer is answer1 the correct answer is answer2", false],
    ["answer2", false],
    ["", false],
  ];
  for (const [generated, right] of rows) expect(isCommonsenseRight(generated, "answer2"), generated).toBe(right);
});

test("mathematics is asked as published, and its answer is the last number", () => {
  const record = gsm8kRecord({ question: "How many?", answer: "2+3 = <<2+3=5>>5 eggs\n#### 1,005" });
  expect(record.prompt).toBe(
    "How many?\nAnswer the above question. First think step by step and then answer the final number.\n",
  );
  expect(record.response).toBe("2+3 = <<2+3=5>>5 eggs\nThe final answer is:  1,005");
  expect(record.fields.answer).toBe("1,005");
  expect(isNumberRight(record.response, record.fields.answer!)).toBe(true);
});

test("the last number of a text is read with commas, signs and decimals", () => {
  const rows: readonly (readonly [text: string, number: number])[] = [
    ["it is 18", 18],
    ["3 and then -4.5", -4.5],
    ["$1,234,567", 1_234_567],
    ["12.", 12],
    ["none", Number.POSITIVE_INFINITY],
  ];
  for (const [text, number] of rows) expect(lastNumber(text), text).toBe(number);
  expect(isNumberRight("about 5.0009", "5")).toBe(true);
  expect(isNumberRight("about 5.01", "5")).toBe(false);
  // Two texts without a number agree on nothing.
  expect(isNumberRight("none", "nothing")).toBe(false);
});
