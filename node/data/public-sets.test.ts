/** Rows of well-known public sets as they are published, and files that JSON or a table would misread: what becomes of them. */
import { describe, expect, it } from "vitest";
import { parseColumnMap } from "./column-map.ts";
import { DataFindings } from "./data-findings.ts";
import { recordsOfFile } from "./data-set.ts";
import { magicOf } from "./file-magic.ts";
import type { DataRecord } from "./record.ts";
import { setOfName } from "./set-names.ts";

interface Reading {
  readonly records: readonly DataRecord[];
  readonly line: string;
  readonly warnings: readonly string[];
}

async function read(name: string, text: string, columns?: string): Promise<Reading> {
  const found = new DataFindings();
  const records: DataRecord[] = [];
  const random = () => Promise.reject(new Error("no table"));
  const opened = { file: name, name, packings: [], magic: undefined, pieces: [Buffer.from(text)], random };
  const options = columns === undefined ? {} : { columns: parseColumnMap(columns) };
  for await (const record of recordsOfFile(opened, options, found)) records.push(record);
  return { records, line: found.line(), warnings: [...found.warnings] };
}

const lines = (...rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const rows = (...values: readonly object[]): Promise<Reading> => read("rows.jsonl", lines(...values));
const said = (role: string, content: string): object => ({ role, content });

describe("rows that are read as they are", () => {
  it("SQuAD, as rows and in its own file: context and question, then the first answer", async () => {
    const asked = {
      context: "Ann is here.",
      question: "Where?",
      answers: { text: ["here", "Here"], answer_start: [7] },
    };
    const none = { ...asked, answers: { text: [], answer_start: [] } };
    const { records, line } = await rows(asked, none);
    expect(records).toMatchObject([{ prompt: "Ann is here.\nWhere?\n", response: "here" }]);
    expect(line).toContain("1 row of reading; left out: 1 question without an answer");
    const qas = [{ id: "1", question: "Where?", answers: [{ text: "here", answer_start: 7 }] }];
    const own = { version: "1.1", data: [{ title: "T", paragraphs: [{ context: "Ann is here.", qas }] }] };
    expect((await read("train-v1.1.json", JSON.stringify(own))).records).toMatchObject([
      { prompt: "Ann is here.\nWhere?\n", response: "here", fields: { title: "T", id: "1" } },
    ]);
  });

  it("HellaSwag: the right ending behind the context", async () => {
    const row = { ctx: "A man sits. he", endings: ["runs.", "sleeps."], label: "1" };
    const { records, line } = await rows(row, { ...row, label: "" });
    expect(records).toMatchObject([{ prompt: "A man sits. he", response: " sleeps." }]);
    expect(line).toContain("left out: 1 row without a label");
    await expect(rows({ ...row, label: 2 })).rejects.toThrow('"label" names none of the 2 endings');
  });

  it("chats of LMSYS, LIMA and Capybara", async () => {
    const chats = [
      { conversation: [said("user", "q"), said("assistant", "a")] },
      { conversations: ["q", "a"] },
      { conversation: [{ input: "q", output: "a" }] },
    ];
    const { records } = await rows(...chats);
    const messages = [
      { role: "user", content: "q" },
      { role: "assistant", content: "a" },
    ];
    expect(records.map(({ conversation }) => conversation?.messages)).toEqual([messages, messages, messages]);
  });

  it("whole numbers and truth values, where sets have them", async () => {
    const { records } = await rows({ text: "t", label: true }, { text: "u", label: 2 }, { question: "q", answer: 4 });
    expect(records.map(({ response }) => response)).toEqual(["true", "2", "4"]);
    await expect(rows({ text: "t", label: 0.5 })).rejects.toThrow('"label" is no whole number; write it as text');
    await expect(rows({ text: "t", label: -1 }, { text: "u", label: -1 })).rejects.toThrow("every label is -1");
  });
});

describe("rows that are refused with the columns to name", () => {
  it.each<readonly [string, object, string]>([
    ["CNN", { article: "long", highlights: "short", id: "1" }, "prompt=article,response=highlights"],
    ["SAMSum", { id: "1", dialogue: "A: hi", summary: "they" }, "prompt=dialogue,response=summary"],
    ["BillSum", { text: "The bill", summary: "a bill", title: "t" }, "prompt=text,response=summary"],
    ["MBPP", { text: "Write it", code: "def f():\n 1", test_list: ["x"] }, "prompt=text,response=code"],
    ["HumanEval", { prompt: "def f():", canonical_solution: " 1", test: "x" }, "response=canonical_solution"],
    ["WMT", { translation: { de: "Haus", en: "house" } }, "prompt=translation.de,response=translation.en"],
    [
      "OpenOrca",
      { system_prompt: "s", question: "q", response: "r" },
      "prompt=system_prompt+question,response=response",
    ],
    [
      "Alpaca in capitals",
      { Instruction: "i", Input: "", Output: "o" },
      "instruction=Instruction,input=Input,output=Output",
    ],
    ["MATH", { problem: "p", level: "1", solution: "s" }, "prompt=problem,response=solution"],
    ["The Stack", { content: "def f(): 1", repo_name: "r" }, "text=content"],
    ["MNLI", { premise: "p", hypothesis: "h", label: 1 }, "text=premise+hypothesis,label=label"],
    ["DBpedia", { label: 1, title: "t", content: "c" }, "text=content,label=label"],
    [
      "RACE",
      { article: "x", question: "q", options: ["a", "b"], answer: "B" },
      "question=article+question,choices=options",
    ],
    ["OpenBookQA", { question_stem: "q", choices: { text: ["a", "b"] }, answerKey: "A" }, "question=question_stem"],
    ["TriviaQA", { question: "q", answer: { value: "v", aliases: ["v"] } }, "answer=answer.value"],
    ["UltraChat", { id: "0", data: ["q", "a"] }, "conversations=data"],
    ["words with tags", { words: ["a", "b"], pos: [1, 2] }, "tokens=words,tags=pos"],
  ])("%s", async (_, row, columns) => {
    const refusal = await rows(row, row).then(
      () => undefined,
      (cause: unknown) => cause as { readonly facts: { readonly columns: string } },
    );
    expect(refusal).toMatchObject({ code: "DATA_FORMAT", facts: { problem: "columns-unnamed", line: 1 } });
    expect(refusal?.facts.columns).toContain(columns);
    const { records } = await read("rows.jsonl", lines(row, row), refusal?.facts.columns);
    expect(records).toHaveLength(2);
  });

  it("choices in columns of their own, and a table without a line of names", async () => {
    await expect(rows({ sentence: "The _", option1: "a", option2: "b", answer: "2" })).rejects.toThrow(
      'columns of their own ("option1", "option2"); write them as a list "choices"',
    );
    await expect(read("a.csv", '3,"Bears claw back at the market","x"\n1,"y","z"\n')).rejects.toThrow(
      "put the names of the columns into the first line",
    );
  });

  it("answers in which nothing is to be seen are left out, and so are conversations of such", async () => {
    const { line } = await rows({ prompt: "q", response: "\u200b\u200d" }, { prompt: "q", response: "a" });
    expect(line).toContain("1 row of prompt/response; left out: 1 row without an answer");
    const silent = { messages: [said("user", "q"), said("assistant", "\u2060")] };
    const spoken = { messages: [said("user", "q"), said("assistant", "a")] };
    expect((await rows(silent, spoken)).line).toContain("left out: 1 conversation without an answer");
  });

  it("several classes of one text are told of", async () => {
    const { warnings } = await rows({ text: "t", labels: [0, 2] });
    expect(warnings).toEqual([
      expect.stringContaining('"labels" is not trained on: it has several classes for one text'),
    ]);
  });

  it.each([
    "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>",
    "<s>[INST] q [/INST] a </s>",
    "Below is a task.\n\n### Instruction:\nq\n\n### Response:\na",
    "\n\nHuman: q\n\nAssistant: a",
  ])("a conversation that is written out is told of: %j", async (text) => {
    const { warnings } = await rows({ text }, { text });
    expect(warnings).toEqual([
      expect.stringMatching(/2 texts are conversations written out, with marks .* questions too/),
    ]);
    const whole = await read("notes.txt", `${text}\n\n`.repeat(9));
    expect(whole.warnings).toEqual([expect.stringMatching(/written out with marks .* trained on as running text/)]);
  });

  it.each(["He asked the user: why? Assistant: none.", "# Notes\n\n## Response times\n\nfast", "Q: why?\nA: so"])(
    "and prose is not: %j",
    async (text) => expect((await rows({ text }, { text })).warnings).toEqual([]),
  );

  it("what is named is meant: a text beside an answer, a question without its context", async () => {
    const both = lines({ text: "The bill", summary: "a bill" });
    expect((await read("a.jsonl", both, "text=text")).line).toContain("not trained on: summary");
    const { warnings, records } = await rows({ context: "c", question: "q", answer: "a" });
    expect(records).toMatchObject([{ prompt: "q\n" }]);
    expect(warnings).toEqual([
      expect.stringContaining('"context" is not trained on; columns question=context+question'),
    ]);
    const joined = await read(
      "a.jsonl",
      lines({ context: "c", question: "q", answer: "a" }),
      "question=context+question",
    );
    expect(joined).toMatchObject({ warnings: [], records: [{ prompt: "c\nq\n" }] });
  });
});

describe("cells and objects that hold something else", () => {
  it.each<readonly [string, string, string]>([
    [
      "a.csv",
      "messages\n\"[{'role': 'user', 'content': 'q'}]\"\n".repeat(2),
      '"messages" is text but no JSON, but Python\'s notation',
    ],
    ["a.csv", "tokens,ner_tags\n\"['EU' 'rejects']\",[3 0]\n", "Python's notation, as pandas writes lists by to_csv"],
    ["a.csv", "question,choices,answer\nq,\"['a', 'b']\",1\n", "Python's notation"],
    ["a.json", '{"a1":{"prompt":"q","response":"a"},"a2":{"prompt":"p","response":"b"}}', "an object of rows by name"],
    ["a.json", '["some text"]', 'write a JSON object, such as {"text": "…"}'],
    ["a.jsonl", '{"system":7,"messages":[{"role":"user","content":"q"}]}\n', '"system" is a number'],
  ])("%s with %j is refused by name", async (name, text, message) => {
    await expect(read(name, text)).rejects.toThrow(message);
  });

  it("Bedrock's system turn is read, and a column without a name is none", async () => {
    const messages = [said("user", "q"), said("assistant", "a")];
    const { records } = await rows({ system: [{ text: "s" }], messages });
    expect(records[0]?.conversation?.messages[0]).toEqual({ role: "system", content: "s" });
    expect((await read("a.csv", ",prompt,response\n0,q,a\n")).line).toBe("CSV; 1 row of prompt/response");
  });
});

describe("rows without an answer", () => {
  it("are left out and counted, where the file has others", async () => {
    const given = { prompt: "q", response: "a" };
    const empty = ["", null, " \n"].map((response) => ({ prompt: "p", response }));
    const { records, line, warnings } = await rows(given, ...empty);
    expect(records).toHaveLength(1);
    expect(line).toContain("left out: 3 rows without an answer");
    expect(warnings).toEqual(["rows.jsonl: 3 of 4 rows have nothing to learn and are left out"]);
    await expect(rows(...empty)).rejects.toThrow('rows.jsonl:1: "response" is empty');
    expect((await rows({ text: "" }, { text: "Words." })).line).toContain("left out: 1 row without text");
    expect((await rows({ messages: [] }, { messages: [said("user", "q"), said("assistant", "a")] })).line).toContain(
      "left out: 1 conversation without an answer",
    );
  });

  it("are no rows of another form", async () => {
    const { line } = await rows(
      { instruction: "i", output: null, text: "Below is" },
      { instruction: "i", output: "o", text: "Below is" },
    );
    expect(line).toContain("1 row of instruction; not trained on: text; left out: 1 row without an answer");
    const labelled = { text: "t", label: "a" };
    expect((await rows(labelled, { text: "u", label: null })).line).toContain("left out: 1 row without a label");
    await expect(rows({ text: "u", label: null }, labelled)).rejects.toThrow("1 before it have none (null)");
  });
});

describe("what a reader would pass over", () => {
  it.each<readonly [string, string]>([
    ['{"prompt":"a","prompt":"b","response":"c"}', '"prompt" stands there twice'],
    ['{"prompt":"a","response":"x \\ud83d y"}', "without its other half"],
  ])("%s is refused", async (text, message) => {
    await expect(read("a.jsonl", `${text}\n`)).rejects.toMatchObject({ code: "DATA_FORMAT", facts: { line: 1 } });
    await expect(read("a.json", `[${text}]`)).rejects.toThrow(message);
  });

  it("names within values and whole characters are no traps", async () => {
    const row = '{"prompt":"say \\"prompt\\": ok","response":"\\ud83d\\ude00","more":{"prompt":1}}\n';
    expect((await read("a.jsonl", row)).records[0]?.response).toBe("😀");
  });

  it("however long a string is", async () => {
    const long = 'word \\\\\\" '.repeat(600_000);
    expect(
      (await read("a.jsonl", `{"prompt":"say prompt","response":"${long}","more":"prompt"}\n`)).records,
    ).toHaveLength(1);
    await expect(read("a.jsonl", `{"prompt":"${long}",}\n`)).rejects.toThrow("a comma stands before a closing bracket");
    const text = `{"prompt":"a","more":{"prompt":"${long}"},"response":"b","prompt":"c"}\n`;
    await expect(read("a.jsonl", text)).rejects.toThrow('"prompt" stands there twice');
  });

  it("lost characters and controls are told", async () => {
    const { warnings } = await rows({ prompt: "a", response: "x \uFFFD" }, { prompt: "b", response: "x \0 y" });
    expect(warnings).toEqual([
      expect.stringContaining("1 row has U+FFFD in place of characters"),
      expect.stringContaining("1 row has control characters such as NUL"),
    ]);
  });

  it.each<readonly [string, string, string]>([
    ["paper.tex", "\\section{One}\nWords follow here in this text, and some more.\n", "this is LaTeX"],
    ["-", "\\documentclass{article}\n\\begin{document}\nWords follow here, and some more.\n", "this is LaTeX"],
    ["dump.sql", "INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2), (3), (4);\n", "this is SQL"],
    ["a.py", "import os\n\ndef f(x):\n    return x\n\nclass A:\n    pass\n", "this is source code"],
    [
      "server",
      `2024-01-01 10:00:00 ERROR db: it failed\n[2024-01-01 10:00:01] app: it runs\n`.repeat(4),
      "this is a log",
    ],
    [
      "all.txt",
      "### Instruction:\nDo it now.\n\n### Response:\nIt is done by now.\n\n".repeat(5),
      "written out with marks",
    ],
    ["words.txt", "haus\thouse\n".replace("haus", "a").concat("b\tc\n".repeat(8)), "each line has 2 fields"],
  ])("%s trains as text, and a warning says so", async (name, text, message) => {
    const { line, warnings } = await read(name, text);
    expect(line).toMatch(/^text; /u);
    expect(warnings).toEqual([expect.stringContaining(message)]);
  });

  it("a table of unknown columns is refused where nothing calls it a text", async () => {
    await expect(read("", `ding;dong\n${"a b;c d\n".repeat(8)}`)).rejects.toMatchObject({
      message: expect.stringContaining("each line has 2 fields, as a table has"),
      facts: { columns: "prompt=ding,response=dong" },
    });
  });

  it("an office document is no archive to unpack, and UTF-32 is named", async () => {
    const zip = (entry: string): Uint8Array =>
      Buffer.concat([Buffer.from("PK\u0003\u0004"), Buffer.alloc(26), Buffer.from(entry)]);
    expect(magicOf(zip("[Content_Types].xml"))).toMatchObject({
      todo: expect.stringContaining("save its table as CSV"),
    });
    expect(magicOf(zip("a.jsonl"))).toMatchObject({ name: "a ZIP archive" });
    const opened = { file: "a", name: "a", packings: [], magic: undefined, random: () => Promise.reject(new Error()) };
    const pieces = [Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0])];
    const reading = recordsOfFile({ ...opened, pieces }, {}, new DataFindings()).next();
    await expect(reading).rejects.toThrow("this is UTF-32");
  });

  it("the set is a word of a name, if it is the only one", () => {
    const names = [
      "squad-validation.arrow",
      "my_data_train.jsonl",
      "eval.csv",
      "test_results_of_train.csv",
      "train_test.csv",
      "best.csv",
    ];
    expect(names.map(setOfName)).toEqual(["validation", "train", "validation", "test", "train", undefined]);
  });
});
