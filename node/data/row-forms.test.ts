import { describe, expect, test } from "vitest";
import { mapColumns, parseColumnMap } from "./column-map.ts";
import { recordOfRow } from "./row-reader.ts";

const place = { file: "d.jsonl", line: 3 };
const read = (values: Record<string, unknown>) => recordOfRow({ values, place });

describe("forms of rows", () => {
  const forms: [form: string, values: Record<string, unknown>, prompt: string, response: string][] = [
    ["prompt/response", { prompt: "2+2?", response: "4" }, "2+2?\n", "4"],
    ["prompt/completion", { prompt: "2+2?", completion: " 4" }, "2+2?", " 4"],
    ["instruction", { instruction: "Add.", input: "2", response: "4" }, "Task: Add.\nInput: 2\nAnswer:\n", "4"],
    ["question/answer", { question: "2+2?", answer: "4", context: "c" }, "2+2?\n", "4"],
    ["text", { text: "All of it." }, "", "All of it."],
    ["text/label", { text: "Good.", label: "yes" }, "Good.\n", "yes"],
    ["tokens/tags", { tokens: ["Ada", "wrote"], ner_tags: ["B-PER", "O"], id: "1" }, "Ada wrote\n", "B-PER O"],
    ["tokens/tags", { tokens: '["Ada"]', tags: "[1]" }, "Ada\n", "1"],
    [
      "multiple choice",
      { question: "Sky?", choices: ["red", "blue"], answer: 1 },
      "Sky?\nA. red\nB. blue\nAnswer:",
      " B. blue",
    ],
    [
      "multiple choice",
      { question: "Sky?", choices: { text: ["red", "blue"], label: ["1", "2"] }, answerKey: "2" },
      "Sky?\n1. red\n2. blue\nAnswer:",
      " 2. blue",
    ],
  ];
  test.each(forms)("%s", (form, values, prompt, response) => {
    expect(read(values)).toMatchObject({ form, record: { prompt, response } });
  });

  test.each<readonly [string, Record<string, unknown>, RegExp]>([
    ["of another number", { tokens: ["a", "b"], tags: ["O"] }, /"tokens" has 2 words and "tags" 1 tags/],
    ["that are no list", { tokens: "a b", tags: ["O"] }, /"tokens" is a string; make it a list/],
    ["that are no JSON", { tokens: "[a b", tags: ["O"] }, /"tokens" begins like a list and is no JSON/],
    ["of no word", { tokens: [], labels: [] }, /"tokens" is empty/],
    ["that are no class", { tokens: ["a"], labels: [-1] }, /labels\[0\] is a number; make it the name or the number/],
    ["for words that are no text", { tokens: [1], labels: [1] }, /tokens\[0\] is a number; make it text/],
  ])("tags %s are refused", (_, values, text) => {
    expect(() => read(values)).toThrow(text);
  });

  test("conversations of both forms, with tools, are one", () => {
    const call = { role: "assistant", content: null, tool_calls: [{ function: { name: "f", arguments: {} } }] };
    const { record } = read({
      messages: [
        { role: "user", content: "q" },
        call,
        { role: "tool", content: "r" },
        { role: "assistant", content: "a" },
      ],
      tools: [{ type: "function" }],
    });
    expect(record?.conversation).toMatchObject({
      messages: [{ role: "user" }, { content: "", more: { tool_calls: [{}] } }, { role: "tool" }, { content: "a" }],
      tools: [{ type: "function" }],
      learntFrom: 0,
    });
    const shared = read({
      system: "s",
      conversations: [
        { from: "human", value: "q" },
        { from: "gpt", value: "a" },
      ],
    });
    expect(shared.record?.conversation?.messages).toEqual([
      { role: "system", content: "s" },
      { role: "user", content: "q" },
      { role: "assistant", content: "a" },
    ]);
    const given = [
      { role: "assistant", content: "before" },
      { role: "user", content: "q" },
    ];
    const later = read({ prompt: given, completion: [{ role: "assistant", content: "a" }] });
    expect(later.record?.conversation).toMatchObject({ learntFrom: 2 });
    expect(later.record).toMatchObject({ prompt: "before\nq\n", response: "a" });
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ question: "q" }, /"answer" is missing; give "question" and "answer"/],
    [{ text: "t", label: "" }, /"label" is empty/],
    [{ messages: [] }, /"messages" is an empty list/],
    [{ messages: [{ role: "usr", content: "x" }] }, /has the role "usr", .* did you mean "user"\?/],
    [{ messages: [{ role: "user", content: "x" }] }, /in "messages" the assistant says nothing/],
    [{ messages: [{ role: "user" }, { role: "assistant", content: "a" }] }, /messages\[0\] has no "content"/],
    [{ messages: [{ role: "user", content: [{ type: "image" }] }] }, /parts that are no text/],
    [{ question: "q", choices: ["a", "b"], answer: "c" }, /"answer" is "c", which is none of the choices A, B/],
    [{ frage: "a", antwort: "b" }, /"prompt" is missing; .* columns prompt=frage/],
  ])("%j is refused at its place", (values, text) => {
    expect(() => read(values)).toThrow(text);
    expect(() => read(values)).toThrow(/^d\.jsonl:3: /);
  });

  test("columns are mapped by name, and other names are refused with the nearest", () => {
    const map = parseColumnMap("prompt=frage, response=antwort");
    const { values } = mapColumns({ values: { frage: "a", antwort: "b", prompt: "x" }, place }, map);
    expect(values).toEqual({ prompt: "a", response: "b" });
    expect(() => mapColumns({ values: { frage: "a", antwrt: "b" }, place }, map)).toThrow(/did you mean "antwrt"\?/);
    expect(() => parseColumnMap("promt=a")).toThrow(/did you mean prompt\?/);
    expect(() => parseColumnMap("prompt")).toThrow(/is no pair/);
  });
});
