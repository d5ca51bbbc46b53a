/** Conversations as people have them: exports of services, chats between people, and files that hold rows in an object. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataFindings } from "./data-findings.ts";
import { recordsOfFile } from "./data-set.ts";
import { jsonObjects } from "./json-objects.ts";
import type { DataRecord } from "./record.ts";
import { parseRoleMap } from "./role-map.ts";

interface Reading {
  readonly records: readonly DataRecord[];
  readonly line: string;
}

async function read(name: string, content: string | object, roles?: string): Promise<Reading> {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  const found = new DataFindings();
  const records: DataRecord[] = [];
  const opened = {
    file: name,
    name,
    packings: [],
    magic: undefined,
    pieces: [Buffer.from(text)],
    random: () => Promise.reject(new Error("no table")),
  };
  const options = roles === undefined ? {} : { roles: parseRoleMap(roles) };
  for await (const record of recordsOfFile(opened, options, found)) records.push(record);
  return { records, line: found.line() };
}

const turns = ({ records }: Reading): string[][] =>
  records.map(({ conversation }) => conversation?.messages.map(({ role, content }) => `${role}: ${content}`) ?? []);

describe("exports of services", () => {
  const node = (parent: string | null, children: string[], role: string, parts: unknown[], more: object = {}) => ({
    parent,
    children,
    message: { author: { role }, content: { content_type: "text", parts }, ...more },
  });
  const branched = {
    title: "Fever",
    current_node: "d",
    mapping: {
      root: { parent: null, children: ["a"], message: null },
      a: node("root", ["b"], "system", [""]),
      b: node("a", ["c", "d"], "user", ["How high is a fever?", { asset_pointer: "file://1" }]),
      c: node("b", [], "assistant", ["A draft"]),
      d: node("b", [], "assistant", ["38 degrees and more"]),
    },
  };

  it("ChatGPT: the branch that is shown is learnt, and what is no text is counted", async () => {
    const silent = { current_node: "a", mapping: { a: node(null, [], "user", ["Nobody answers"]) } };
    const picture = {
      current_node: "b",
      mapping: { a: node(null, ["b"], "user", [{ asset_pointer: "x" }]), b: node("a", [], "assistant", ["A cat"]) },
    };
    const chats = await read("conversations.json", [branched, silent, picture]);
    expect(turns(chats)).toEqual([
      ["user: How high is a fever?", "assistant: 38 degrees and more"],
      ["assistant: A cat"],
    ]);
    expect(chats.line).toBe(
      "a JSON list; 2 rows of ChatGPT export; not trained on: title; " +
        "left out: 1 conversation without an answer, 1 message without text",
    );
  });

  it.each<[string, object, RegExp]>([
    ["a circle", { mapping: { a: node("a", [], "user", ["x"]) }, current_node: "a" }, /goes in a circle/],
    ["no such node", { mapping: {}, current_node: "a" }, /has no node "a"/],
    ["no tree", { mapping: 7 }, /"mapping" is a number/],
  ])("a tree with %s is refused at its place", async (_, chat, text) => {
    await expect(read("c.json", [chat])).rejects.toThrow(text);
    await expect(read("c.json", [chat])).rejects.toThrow(/^c\.json:1: /);
  });

  it("Claude and Gemini", async () => {
    const claude = {
      uuid: "1",
      chat_messages: [
        { sender: "human", text: "2+2?" },
        { sender: "assistant", text: "", content: [{ type: "text", text: "4" }] },
      ],
    };
    expect(turns(await read("c.json", [claude]))).toEqual([["user: 2+2?", "assistant: 4"]]);
    const gemini = {
      systemInstruction: { parts: [{ text: "Be short." }] },
      contents: [
        { role: "user", parts: [{ text: "2+2?" }] },
        { role: "model", parts: [{ text: "4" }] },
      ],
    };
    expect(turns(await read("g.jsonl", gemini))).toEqual([["system: Be short.", "user: 2+2?", "assistant: 4"]]);
  });
});

describe("chats between people", () => {
  const phone = [
    "31.12.23, 22:05 - Nachrichten sind verschlüsselt.",
    "31.12.23, 22:05 - Dr. Weber: Guten Abend",
    "31.12.23, 22:06 - Anna: Mir ist: heiß",
    "seit gestern",
    "31.12.23, 22:07 - Anna: <Medien ausgeschlossen>",
    "31.12.23, 22:08 - Dr. Weber: Wie hoch?",
    "01.01.24, 09:00 - Anna: 39",
  ].join("\n");

  it("a day of WhatsApp is a conversation, whose turns are those of who is named", async () => {
    const chat = await read("chat.txt", phone, "assistant=dr. weber");
    expect(turns(chat)).toEqual([
      ["assistant: Guten Abend", "user: Mir ist: heiß\nseit gestern", "assistant: Wie hoch?"],
    ]);
    expect(chat.line).toBe(
      "WhatsApp chat; 1 day; speakers: Dr. Weber, Anna; left out: 1 day without an answer, 2 messages without text",
    );
  });

  it("without roles everybody's words are learnt, and that is said", async () => {
    const { records, line } = await read("chat.txt", phone);
    expect(records.map(({ prompt, response }) => [prompt, response])).toEqual([
      ["", "Dr. Weber: Guten Abend\nAnna: Mir ist: heiß\nseit gestern\nDr. Weber: Wie hoch?"],
      ["", "Anna: 39"],
    ]);
    expect(line).toContain("everybody's words are learnt; roles assistant=NAME would learn one speaker's alone");
  });

  it.each([
    "[31/12/2023, 10:05:11 PM] Ann: hello\n[31/12/2023, 10:06:00\u202FPM] ~ Bob: hi",
    "\u200E[2023-12-31, 22:05:11] Ann: hello\n[2023-12-31, 22:06:00] Bob: hi",
    "12/31/23, 10:05 p. m. - Ann: hello\n12/31/23, 10:06 p. m. - Bob: hi",
  ])("the dates of %j are read", async (text) => {
    expect(turns(await read("c.txt", text, "assistant=Bob"))).toEqual([["user: hello", "assistant: hi"]]);
  });

  it("Telegram: one chat on many lines, and a whole account", async () => {
    const message = (from: string, text: unknown, date = "2024-01-01T10:00:00") => ({
      ...{ id: 1, type: "message", date, from, text },
    });
    const chat = {
      name: "Ann",
      messages: [
        message("Ann", "hello"),
        message("Bob", ["see ", { type: "link", text: "x.org" }]),
        message("Ann", ""),
      ],
    };
    const one = await read("result.json", JSON.stringify(chat, null, 1), "assistant=Bob");
    expect([turns(one), one.line]).toEqual([
      [["user: hello", "assistant: see x.org"]],
      "JSON objects; 1 day; Telegram chat; speakers: Ann, Bob; left out: 1 message without text",
    ]);
    expect(turns(await read("result.json", { chats: { list: [chat, chat] } }, "assistant=Bob"))).toHaveLength(2);
  });

  it("lines of speakers are a chat where roles are given, a conversation between blank lines", async () => {
    const text = "Patient: It hurts.\nDoctor: Where?\nPatient: Here.\n\nPatient: Hello.\nDoctor: Good day.\n";
    expect(turns(await read("c.txt", text, "assistant=Doctor"))).toEqual([
      ["user: It hurts.", "assistant: Where?", "user: Here."],
      ["user: Hello.", "assistant: Good day."],
    ]);
    await expect(read("c.txt", text, "assistant=Docter")).rejects.toThrow(
      /no speaker "docter"; did you mean "Doctor"\?/,
    );
  });

  it("rows of messages have roles by other names; without them the refusal says how", async () => {
    const row = {
      messages: [
        { role: "patient", content: "It hurts." },
        { role: "doctor", content: "Where?" },
      ],
    };
    const named = await read("r.jsonl", row, "assistant=doctor,user=patient");
    expect(turns(named)).toEqual([["user: It hurts.", "assistant: Where?"]]);
    await expect(read("r.jsonl", row)).rejects.toThrow(/the role "patient".*mapped by roles assistant=patient/);
  });

  it.each([
    ["assistant", /is no pair/],
    ["asistant=A", /did you mean assistant\?/],
    ["user=A", /nobody is the assistant/],
    ["assistant=A,user=a", /stands there twice/],
  ])("roles %s are refused", (text, message) => expect(() => parseRoleMap(text)).toThrow(message));

  it("roles where nobody speaks with anybody are refused", async () => {
    const row = { prompt: "a", response: "b" };
    await expect(read("r.jsonl", row, "assistant=A")).rejects.toThrow(/nobody speaks with anybody/);
    const text = "A paragraph of words that has no speakers in it at all, only words.";
    await expect(read("r.txt", text, "assistant=A")).rejects.toThrow(/nobody speaks with anybody/);
  });
});

describe("rows in objects", () => {
  const rows = [
    { prompt: "a", response: "b" },
    { prompt: "c", response: "d" },
  ];
  it.each<[string, string]>([
    ["a list in an object", JSON.stringify({ version: 1, data: rows })],
    ["on several lines", JSON.stringify({ data: rows }, null, 2)],
    ["one object after another, each on several lines", rows.map((row) => JSON.stringify(row, null, 2)).join("\n")],
  ])("%s", async (_, text) => {
    const { records, line } = await read("rows.json", text);
    expect(records.map(({ response }) => response)).toEqual(["b", "d"]);
    expect(line).toBe("JSON objects; 2 rows of prompt/response");
  });

  it("lists by set say which set their rows belong to", async () => {
    const { records } = await read("rows.json", { train: rows, dev: rows.slice(0, 1) });
    expect(records.map(({ fields }) => fields.set)).toEqual(["train", "train", "validation"]);
  });

  it.each<[string, string, RegExp]>([
    ["several lists", JSON.stringify({ a: rows, b: rows }), /^r\.json:1: the object has lists of rows in "a", "b"/],
    ["a bad row", JSON.stringify({ a: [{ prompt: "x" }] }), /^r\.json, row 1: "response" is missing/],
    ["no end", '{\n"a": [', /^r\.json:1: the file ends before its object does/],
    ["more text", '{\n"prompt": "a", "response": "b"}\nmore', /^r\.json:3: text stands outside of the objects/],
    ["Python's notation", "{'prompt': 'a'}", /is not JSON but Python's notation/],
    ["a number that JSON has not", '{"prompt": NaN}', /is not JSON, which has no NaN/],
    ["commas between lines", '{"prompt":"a","response":"b"},\n{}', /a comma follows the object/],
  ])("%s", async (_, text, message) => {
    await expect(read("r.json", text)).rejects.toThrow(message);
  });

  it("objects are cut where they end, whatever stands in their texts and wherever the pieces are cut", async () => {
    const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }));
    await fc.assert(
      fc.asyncProperty(objects, fc.integer({ min: 1, max: 9 }), async (given, size) => {
        const text = given.map((one) => JSON.stringify(one, null, 2)).join(" ");
        const found: unknown[] = [];
        const pieces = text.match(new RegExp(`.{1,${size}}`, "gsu")) ?? [];
        for await (const { values } of jsonObjects(pieces, { file: "f" })) found.push(values);
        expect(found).toEqual(given.map((one) => JSON.parse(JSON.stringify(one))));
      }),
      { numRuns: 40 },
    );
  });
});
