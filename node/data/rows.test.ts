/** The readers of rows of text: lists of JSON and tables, however their pieces are cut. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { csvRows, sniffDialect } from "./csv-rows.ts";
import { jsonArrayRows } from "./json-rows.ts";
import type { Row } from "./row.ts";
import { textForm } from "./text-form.ts";

async function all(rows: AsyncIterable<Row>): Promise<Row[]> {
  const found: Row[] = [];
  for await (const row of rows) found.push(row);
  return found;
}
const pieces = (text: string, size: number): string[] => text.match(new RegExp(`.{1,${size}}`, "gsu")) ?? [];

describe("a list of JSON", () => {
  test("gives its objects, whatever stands in their texts and wherever the pieces are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true })),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(undefined, 2),
        async (objects, size, indent) => {
          const text = JSON.stringify(objects, null, indent);
          const rows = await all(jsonArrayRows(pieces(text, size), { file: "f" }));
          expect(rows.map(({ values }) => values)).toEqual(JSON.parse(text));
        },
      ),
    );
  });

  test.each([
    ['[{"a":1},\n{"a":', /^f:2: the file ends before its list does/],
    ['[{"a":1},\n\n7]', /^f:3: this is a number; write a JSON object/],
    ['[{"a":1},]', /^f:1: this is not JSON/],
    ['[{"a":1}},{"b":2}]', /^f:1: this is not JSON/],
    ['[{"a":1}]\nmore', /^f:2: text stands outside of the list/],
  ])("%j is refused at its line", async (text, message) => {
    await expect(all(jsonArrayRows([text], { file: "f" }))).rejects.toThrow(message);
  });
});

describe("a table", () => {
  test("is read in the dialect that all its records have", async () => {
    const dialects: [string, string][] = [
      ['prompt,response\n"a, b","c\nd"\ne,"f ""g"""\n', ","],
      ['prompt\tresponse\na, b\tc\ne\tsaid "so"\n', "\t"],
      ["prompt;response\na,b;c\ne;f\n", ";"],
    ];
    for (const [text, delimiter] of dialects) {
      const dialect = sniffDialect(text, { isWhole: true });
      expect(dialect, text).toMatchObject({ delimiter, columns: ["prompt", "response"] });
      const rows = await all(csvRows(pieces(text, 3), { file: "f", dialect: dialect! }));
      expect(rows).toHaveLength(2);
      expect(Object.keys(rows[0]!.values)).toEqual(["prompt", "response"]);
    }
    const [[text]] = dialects as [[string, string]];
    const rows = await all(csvRows([text], { file: "f", dialect: sniffDialect(text, { isWhole: true })! }));
    expect(rows.map(({ values }) => values)).toEqual([
      { prompt: "a, b", response: "c\nd" },
      { prompt: "e", response: 'f "g"' },
    ]);
    expect(rows.map(({ place }) => place.line)).toEqual([2, 4]);
  });

  test("whose lines end in one way here and in another there has the same rows", async () => {
    const text = 'prompt;response\n"a";"b\nc"\r\n"d";e\r\n';
    const dialect = sniffDialect(text, { isWhole: true });
    const rows = await all(csvRows(pieces(text, 3), { file: "f", dialect: dialect! }));
    expect(rows.map(({ values }) => values)).toEqual([
      { prompt: "a", response: "b\nc" },
      { prompt: "d", response: "e" },
    ]);
  });

  test.each([
    ["prompt,response\na,b\na,b,c\n", /^f:3: this record has 3 fields, the first line 2/],
    ['prompt,response\na,"b\n', /^f:\d: a quoted field does not end/],
    ['prompt,response\na,b "c" d\n', /^f:2: a double quote stands within a field/],
  ])("%j is refused at its line", async (text, message) => {
    const dialect = { delimiter: ",", quoted: true, columns: ["prompt", "response"] } as const;
    await expect(all(csvRows([text], { file: "f", dialect }))).rejects.toThrow(message);
  });
});

describe("the form of a text", () => {
  test.each([
    ["rows.txt", '{"prompt":"a","response":"b"}\n', "json-lines"],
    ["rows.jsonl", '[{"prompt":"a"}]', "json-array"],
    ["rows.txt", "prompt,response\na,b\nc,d\n", "csv"],
    ["rows.jsonl", "prompt,response\na,b\nc,d\n", "csv"],
    ["rows.csv", "text\nhello\nworld\n", "csv"],
    ["notes.txt", "Well, I said, no.\nAnd, he said, yes.\n", "text"],
    ["notes.txt", "[1] A note about things.\n", "text"],
    ["notes.txt", "{{Infobox}} and more words\n", "text"],
    ["notes.json", "no JSON at all", "json-lines"],
  ])("%s with %j", (name, head, form) =>
    expect(textForm({ head, isWhole: true, file: name, name })).toMatchObject({ form }),
  );

  test.each([
    ["page.txt", "<!DOCTYPE html>\n<p>Hello</p>", /this is XML or HTML/],
    ["rows.csv", "frage,antwort\na,b\n", undefined],
    ["rows.csv", "hello\nworld\n", /names no columns that weft knows/],
    ["empty.csv", "", /the file has no rows/],
  ])("%s with %j", (name, head, message) => {
    const look = () => textForm({ head, isWhole: true, file: name, name });
    if (message) expect(look).toThrow(message);
    else expect(look()).toMatchObject({ form: "csv" });
  });
});
