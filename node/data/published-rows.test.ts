/** Rows and files as publishers, messengers and programs write them: what is read of each, or in which words it is refused. */
import { describe, expect, it } from "vitest";
import { isLearnt } from "./conversation.ts";
import { DataFindings } from "./data-findings.ts";
import { recordsOfFile } from "./data-set.ts";
import { magicOf } from "./file-magic.ts";
import type { DataRecord } from "./record.ts";
import { unwrittenThoughts } from "./unwritten-thoughts.ts";

interface Reading {
  readonly records: readonly DataRecord[];
  readonly line: string;
  readonly found: DataFindings;
}

async function read(name: string, content: string | object): Promise<Reading> {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  const found = new DataFindings();
  const records: DataRecord[] = [];
  const random = () => Promise.reject(new Error("no table"));
  const opened = { file: name, name, packings: [], magic: undefined, pieces: [Buffer.from(text)], random };
  for await (const record of recordsOfFile(opened, {}, found)) records.push(record);
  return { records, line: found.line(), found };
}

const row = (values: object): Promise<Reading> => read("rows.jsonl", `${JSON.stringify(values)}\n`);
const user = { role: "user", content: "q" };
const answer = { role: "assistant", content: "a" };

describe("rows of public data sets", () => {
  it("one message a row is no conversation, and no columns would make it one", async () => {
    await expect(read("rows.jsonl", JSON.stringify([user, answer]))).rejects.toThrow(
      "write each conversation as one row",
    );
  });

  it("thoughts in a field of their own are counted, where they belong to a turn that is learnt", async () => {
    const thinking = { ...answer, reasoning_content: "so" };
    const { found } = await read("rows.jsonl", JSON.stringify({ messages: [user, thinking] }));
    expect([...found.thoughts]).toEqual([["reasoning_content", 1]]);
    const [told] = unwrittenThoughts(found.thoughts, undefined);
    expect(told).toContain(
      '1 conversation has thoughts in "reasoning_content", which no frame but a chat template writes',
    );
    expect(unwrittenThoughts(found.thoughts, { text: "{{ m.reasoning_content }}" })).toEqual([]);
    expect(unwrittenThoughts(found.thoughts, { text: "{{ m.content }}" })[0]).toContain(
      "the chat template does not write",
    );
    const excluded = await read(
      "rows.jsonl",
      JSON.stringify({ messages: [user, { ...thinking, weight: 0 }, user, answer] }),
    );
    expect(excluded.found.thoughts.size).toBe(0);
  });

  it("what tables write for a missing value, and around numbers that are to stay text, is warned of", async () => {
    const { found } = await read("rows.csv", 'prompt,response\na,NaN\nb,#REF!\nc,"=""007"""\nd,None\n');
    expect([...found.warnings].join("\n")).toMatch(/1 row has "NaN".*\n.*1 row has "#REF!".*\n.*1 row has formulas/u);
    expect(found.warnings.size).toBe(3);
  });

  it("turns of weight 0, or that are not to train on, are not learnt", async () => {
    for (const mark of [{ weight: 0 }, { train: false }, { training: false }, { loss: false }]) {
      const { records } = await row({ messages: [user, { ...answer, ...mark }, user, { ...answer, weight: 1 }] });
      const { conversation } = records[0]!;
      expect(conversation!.messages.map((message, i) => isLearnt(conversation!, message, i))).toEqual([
        ...[false, false, false, true],
      ]);
      await expect(row({ messages: [user, { ...answer, ...mark }] })).rejects.toThrow("the assistant says nothing");
    }
  });

  it("OpenAI's function_call and functions are tool calls and tools", async () => {
    const call = { name: "find", arguments: "{}" };
    const messages = [
      user,
      { role: "assistant", content: null, function_call: call },
      { role: "function", content: "1" },
    ];
    const { records, line } = await row({ messages: [...messages, answer], functions: [{ name: "find" }] });
    const { conversation } = records[0]!;
    expect(conversation!.messages[1]).toMatchObject({
      content: "",
      more: { tool_calls: [{ type: "function", function: call }] },
    });
    expect(conversation!.tools).toEqual([{ type: "function", function: { name: "find" } }]);
    expect(line).not.toContain("not trained on");
  });

  it("Dolly's context is the input", async () => {
    const { records } = await row({ instruction: "Do.", context: "This.", response: "Done.", category: "qa" });
    expect(records[0]!.prompt).toBe("Task: Do.\nInput: This.\nAnswer:\n");
    await expect(row({ instruction: "Do.", context: "x", input: "y", output: "z" })).rejects.toThrow("both hold text");
  });

  it("answers that are marked as bad ones are left out, and counted", async () => {
    const rows = [true, false, "False"].map((label) => ({ prompt: "q", completion: `${label}`, label }));
    const { records, line } = await read("kto.jsonl", rows.map((one) => JSON.stringify(one)).join("\n"));
    expect(records.map(({ response }) => response)).toEqual(["true"]);
    expect(line).toContain("left out: 2 answers with label false");
  });

  it.each<readonly [string, object, string]>([
    ["DPO", { prompt: "q", chosen: "a", rejected: "b" }, "columns response=chosen learns the preferred ones"],
    ["DPO of chats", { chosen: [user, answer], rejected: [user] }, "columns messages=chosen"],
    ["DPO of answers", { prompt: "q", chosen: [answer], rejected: [answer] }, "columns completion=chosen"],
    ["HH-RLHF", { chosen: "\n\nHuman: q\n\nAssistant: a", rejected: "b" }, "columns text=chosen"],
    [
      "OpenAI's preferences",
      { input: {}, preferred_output: [answer] },
      'write the preferred ones as rows of "messages"',
    ],
    ["a message of a tree", { message_id: "1", parent_id: null, role: "prompter", text: "q" }, "one message of a tree"],
    ["a tree", { message_tree_id: "1", prompt: { text: "q", replies: [] } }, "this is a tree of messages"],
    ["SST-2", { idx: 3, sentence: "s", label: 1 }, "columns text=sentence"],
  ])("%s is refused in true words", async (_, values, text) => {
    await expect(row(values)).rejects.toMatchObject({ code: "DATA_FORMAT", message: expect.stringContaining(text) });
  });
});

describe("chats of messengers", () => {
  const textOf = ({ records }: Reading): readonly string[] => records.map(({ response }) => response);

  it("Discord", async () => {
    const said = (name: string, content: string, day = 1) => ({
      ...{
        id: "1",
        content,
        timestamp: `2024-03-0${day}T10:00:00+00:00`,
        author: { name, nickname: name.toUpperCase() },
      },
    });
    const messages = [said("ann", "hello"), said("bob", ""), said("bob", "hi"), said("ann", "again", 2)];
    const reading = await read("chat.json", JSON.stringify({ guild: {}, channel: {}, messages }, null, 1));
    expect(textOf(reading)).toEqual(["ANN: hello\nBOB: hi", "ANN: again"]);
    expect(reading.line).toBe(
      "JSON objects; 2 days; Discord chat; speakers: ANN, BOB; everybody's words are learnt; roles assistant=NAME would learn one speaker's alone; left out: 1 message without text",
    );
  });

  it("Messenger: the newest first, and UTF-8 written as characters", async () => {
    const said = (sender_name: string, content: string | undefined, hour: number) => ({
      ...{ sender_name, content, timestamp_ms: Date.UTC(2024, 2, 1, hour) },
    });
    const broken = Buffer.from("schön").toString("latin1");
    const messages = [said("Bob", "naïve", 3), said("Ann", undefined, 2), said("Ann", broken, 1)];
    expect(textOf(await read("message_1.json", { participants: [], messages }))).toEqual(["Ann: schön\nBob: naïve"]);
  });

  it("Teams: the text of HTML", async () => {
    const said = (displayName: string, content: string, minute: number, messagetype = "RichText/Html") => ({
      ...{ displayName, content, messagetype, originalarrivaltime: `2024-03-01T10:0${minute}:00Z` },
    });
    const list = [
      said("Bob", "x", 3, "ThreadActivity/AddMember"),
      said("Bob", "<p>a &lt; b</p>", 2),
      said("Ann", "hi", 1),
    ];
    const reading = await read("messages.json", { userId: "8:a", conversations: [{ MessageList: list }] });
    expect(textOf(reading)).toEqual(["Ann: hi\nBob: a < b"]);
  });

  it("Slack: names, links and notices", async () => {
    const said = (user: string, text: string, ts: number, more: object = {}) => ({
      ...{ type: "message", user, text, ts: `17092944${ts}.000100`, ...more },
    });
    const list = [
      said("U2", "see <https://x.org|this> &amp; <@U1>", 12),
      said("U1", "hello", 11, { user_profile: { display_name: "", real_name: "Ann" } }),
      said("U2", "has joined", 10, { subtype: "channel_join" }),
    ];
    const reading = await read("2024-03-01.json", list);
    expect(textOf(reading)).toEqual(["Ann: hello\nU2: see this & @Ann"]);
    expect(reading.line).toContain("a JSON list; 1 day; Slack chat; speakers: Ann, U2");
  });
});

describe("files that are another thing than their looks", () => {
  it("CoNLL is words with tags, a text between blank lines", async () => {
    const text = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nBonn NNP B-NP B-LOC\n";
    const { records, line } = await read("train.txt", text);
    expect(records.map(({ tagged }) => tagged)).toEqual([
      { words: ["EU", "rejects"], tags: ["B-ORG", "O"] },
      { words: ["Bonn"], tags: ["B-LOC"] },
    ]);
    expect(line).toBe("CoNLL; 2 rows of tokens/tags");
    await expect(read("t.txt", `${"EU B-ORG\n\n".repeat(300)}Bonn\n`)).rejects.toThrow('t.txt:601: "Bonn" has no tag');
    expect((await read("a.txt", "To be O\nor not O\n".repeat(3))).line).toContain("text");
  });

  it.each<readonly [string, string, string]>([
    ["version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n", "rows.jsonl", "pointer of Git LFS"],
    ["{\\rtf1\\ansi Hello\\par}", "a.rtf", "an RTF document"],
    ["WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nhello\n", "a.vtt", "subtitles (WebVTT)"],
    ["1\n00:00:00,000 --> 00:00:01,000\nhello\n", "a.srt", "subtitles (SubRip)"],
    ["From a@b Mon Mar  4 10:00:00 2024\nFrom: a@b\nTo: c@d\n\nhi\n", "mail.mbox", "a mailbox"],
    ['window.YTD.tweets.part0 = [ {"tweet": {}} ]', "tweets.js", "JavaScript"],
    [`# text = Dogs\n1${"\t_".repeat(9)}\n\n`, "a.conllu", "CoNLL-U"],
    ["- prompt: q\n  response: a\n", "rows.yaml", "YAML"],
    ['{"mine": {"file_name": "rows.jsonl"}}', "dataset_info.json", "describes data sets, as LLaMA-Factory does"],
    ['{"cells": [{}], "nbformat": 4}', "a.ipynb", "a notebook of Jupyter"],
    ['{"prompt": ["a", "b"], "response": ["c", "d"]}', "a.json", "a table by columns"],
    ['{"prompt": {"0": "a"}, "response": {"0": "b"}}', "a.json", "a table by columns"],
    ['{"columns": ["a"], "index": [0], "data": [["x"]]}', "a.json", "a table by columns"],
    ['{"0": {"prompt": "a"}, "1": {"prompt": "b"}}', "a.json", "an object of rows by number"],
    ['{"status": "ok", "data": {"rows": [{"prompt": "a"}]}}', "a.json", 'its rows stand in "data.rows"'],
    ["# mine\n{}\n", "a.jsonl", "which has no comments"],
    ['{"prompt":"a","response":"b",}\n', "a.jsonl", "a comma stands before a closing bracket"],
    ['[{"prompt":"a","response":"b"},\n]', "a.json", "nothing stands between two commas, or behind the last"],
    ['{"prompt":"a"}\r{"prompt":"b"}\r', "a.jsonl", "end in CR alone"],
    ['{"prompt":"a"}{"prompt":"b"}\n', "a.jsonl", "several objects stand on the line"],
    ["prompt,response,response\na,b,c\n", "a.csv", 'a.csv:1: two columns are named "response"'],
  ])("%j as %s is refused by name", async (content, name, text) => {
    await expect(read(name, content)).rejects.toMatchObject({
      code: "DATA_FORMAT",
      message: expect.stringContaining(text),
    });
  });

  it("a text that only speaks of such things is text", async () => {
    for (const text of [
      "WEBVTTs are many.\n",
      "- prompt delivery\n- good text\n",
      "From here on it rained.\n\nA lot.\n",
    ]) {
      expect((await read("a.txt", `${text}${"And so it goes on. ".repeat(3)}`)).line).toContain("text; ");
    }
  });

  it("zstd with a dictionary is named", () => {
    expect(magicOf(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x27, 1))).toMatchObject({
      kind: "foreign",
      name: "packed by zstd with a dictionary",
    });
    expect(magicOf(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x24, 1))).toMatchObject({ kind: "packed" });
  });

  it("Excel's line of the delimiter is none of the table, and lines keep their numbers", async () => {
    const { records } = await read("a.csv", "sep=;\r\nprompt;response\r\nq;a\r\n");
    expect(records.map(({ prompt, response }) => prompt + response)).toEqual(["q\na"]);
    await expect(read("a.csv", "sep=;\nprompt;response\nq;a\nq;a;b\n")).rejects.toThrow("a.csv:4:");
  });

  it("a byte order mark may stand in the middle, and rows of Hugging Face's viewer are in their elements", async () => {
    const one = '{"prompt":"q","response":"a"}';
    expect((await read("a.jsonl", `${one}\n\uFEFF${one}\n`)).records).toHaveLength(2);
    const rows = [{ row_idx: 0, row: { prompt: "q", response: "a" }, truncated_cells: [] }];
    expect((await read("a.json", { features: [], rows })).line).toBe("JSON objects; 1 row of prompt/response");
  });
});
