import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatJsonl, readJsonl } from "./jsonl.ts";

const read = (...lines: unknown[]) =>
  readJsonl(
    lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))),
    { file: "d.jsonl" },
  );

describe("rows of JSON", () => {
  test("prompt and response are joined as they stand, or by a line break where no white space parts them", async () => {
    const records = await read(
      { prompt: "q: ", response: "a" },
      { prompt: "q ->", response: " a" },
      { prompt: "2+2?", response: "4" },
      { prompt: "", response: "a" },
    );
    expect(records.map(({ prompt, response }) => prompt + response)).toEqual(["q: a", "q -> a", "2+2?\n4", "a"]);
  });

  test("an instruction becomes a prompt, with or without input", async () => {
    const records = await read(
      { instruction: "Name a colour.", input: "sky", output: "blue" },
      { instruction: "Name a colour.", input: "", output: "red" },
      { instruction: "Name a colour.", output: "red" },
      { instruction: "Name a colour.", input: null, output: "red" },
    );
    expect(records.map(({ prompt }) => prompt)).toEqual([
      "Task: Name a colour.\nInput: sky\nAnswer:\n",
      ...Array(3).fill("Task: Name a colour.\nAnswer:\n"),
    ]);
    expect(records.map(({ response }) => response)).toEqual(["blue", "red", "red", "red"]);
  });

  test("other texts, numbers and truth values are fields; blank lines and a byte order mark are skipped", async () => {
    const row = { prompt: "p ", response: "r", domain: "bank", level: 3, ok: true, list: [1], none: null };
    const records = await read(`\uFEFF${JSON.stringify(row)}`, "", "  ");
    expect(records).toEqual([
      { prompt: "p ", response: "r", fields: { domain: "bank", level: "3", ok: "true" }, overflow: "cut" },
    ]);
  });

  test("what is formatted is read back", async () => {
    const text = fc.string({ unit: "grapheme" });
    const name = fc.constantFrom("kind", "speaker", "set", "__x");
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            prompt: text.map((t) => `${t} `),
            // White space alone is nothing to learn, and such a row is left out.
            response: text.filter((t) => t.trim() !== ""),
            fields: fc.dictionary(name, text, { noNullPrototype: true }),
            overflow: fc.constantFrom("cut" as const, "continue" as const),
          }),
          { minLength: 1 },
        ),
        async (records) => {
          const lines = formatJsonl(records).split("\n");
          expect(lines).toHaveLength(records.length + 1);
          expect(await readJsonl(lines, { file: "d.jsonl" })).toEqual(records);
        },
      ),
    );
  });

  test("a field is never taken for the prompt or the response when a record is written again", async () => {
    const records = await read({ instruction: "Do.", output: "done", response: "other", domain: "d" });
    expect(records[0]!.fields).toEqual({ domain: "d" });
    expect(await read(...formatJsonl(records).trim().split("\n"))).toEqual(records);
  });

  const refused: [title: string, line: unknown, text: RegExp][] = [
    ["no JSON", '{"prompt": "a"', /this is not JSON; write one complete object/],
    ["no object", "[1]", /this is a list; write a JSON object/],
    ["null", "null", /this is null/],
    ["no response", { prompt: "a" }, /"response" is missing; give "prompt" and "response", or "instruction"/],
    ["no prompt", { response: "a" }, /"prompt" is missing/],
    ["no known column", { frage: "a" }, /"prompt" is missing; .* columns prompt=frage/],
    ["no output", { instruction: "a" }, /"output" is missing/],
    ["no instruction", { output: "a" }, /"instruction" is missing/],
    ["number for text", { prompt: "a", response: 4 }, /"response" is a number; make it text in quotes/],
    ["list for text", { instruction: ["a"], output: "b" }, /"instruction" is a list/],
    ["input no text", { instruction: "a", input: {}, output: "b" }, /"input" is an object/],
    ["empty answer", { prompt: "a", response: "" }, /"response" is empty; give an answer to learn, or drop the row/],
  ];
  test.each(refused)("%s: file, line, what, what to do", async (_, line, text) => {
    const good = { prompt: "a ", response: "b" };
    await expect(read(good, "", line, good)).rejects.toMatchObject({
      code: "DATA_FORMAT",
      message: expect.stringMatching(new RegExp(`^d\\.jsonl:3: .*${text.source}`)),
    });
  });

  test("a file without rows is refused", async () => {
    await expect(read()).rejects.toThrow("d.jsonl has no rows; write one JSON object a line");
    await expect(read("", " ")).rejects.toMatchObject({ code: "DATA_FORMAT" });
  });
});
