/**
 * Doors of data and records as targets: files of any form by the way that commands take them. Libraries read them, and not all at
 * once, so they are tried without coverage.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataSet } from "../../system/files/data-files.ts";
import type { GuidedTarget } from "./guided-fuzz.ts";

const CASES = join(import.meta.dirname, "../../data/cases");
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Every door. */
export function doorTargets(): readonly GuidedTarget[] {
  const file = join(mkdtempSync(join(tmpdir(), "weft-doors-")), "data");
  const read = async (bytes: Uint8Array): Promise<string> => {
    writeFileSync(file, bytes);
    const { found, records } = await openDataSet(file);
    let count = 0;
    for await (const _ of records) count++;
    return count === 0 ? "nothing" : found.line().replaceAll(/\d+|"[^"]*"/g, "");
  };
  const tables = readdirSync(join(CASES, "tables")).map((name) => join(CASES, "tables", name));
  const small = (ending: RegExp): readonly Uint8Array[] =>
    tables.filter((name) => ending.test(name)).map((name) => readFileSync(name));
  return [
    { name: "door-parquet", seeds: small(/\.parquet$/), read },
    { name: "door-arrow", seeds: small(/\.(arrow|feather)$/), read },
    { name: "door-csv", seeds: CSV.map(bytesOf), read },
    { name: "door-json", seeds: JSON_ROWS.map(bytesOf), read },
    { name: "door-chats", seeds: CHATS.map(bytesOf), read },
  ];
}

const CSV = [
  'prompt,response\n"a ""b""",c\nd,"e\nf"\n',
  "text\tlabel\na\tgood\nb\tbad\n",
  "prompt;response;n\na;b;1\nc;d;2\n",
];

const MESSAGES = [
  { role: "user", content: "a" },
  { role: "assistant", content: "b" },
];

const JSON_ROWS = [
  '[{"prompt":"a","response":"b"},{"prompt":"c","response":"d"}]',
  '{"prompt":"a","response":"b"}\n{"prompt":"c","response":"d"}\n',
  JSON.stringify({ train: [{ messages: MESSAGES }], test: [{ messages: MESSAGES }] }),
  JSON.stringify({ tokens: ["a", "b"], ner_tags: ["O", "B-X"] }),
  JSON.stringify({ question: "q", choices: ["a", "b"], answer: 1 }),
];

const CHATS = [
  "[12/01/2024, 10:00:00] Ann: hello\n[12/01/2024, 10:01:00] Bob: hi\nthere\n[12/01/2024, 10:02:00] Ann: bye\n",
  "12/01/24, 10:00 - Ann: hello\n12/01/24, 10:01 - Bob: hi\n",
  JSON.stringify({
    name: "Ann",
    type: "personal_chat",
    messages: [
      { id: 1, type: "message", date: "2024-01-01T10:00:00", from: "Ann", from_id: "user1", text: "hello" },
      { id: 2, type: "message", date: "2024-01-01T10:01:00", from: "Bob", from_id: "user2", text: [{ text: "hi" }] },
    ],
  }),
  JSON.stringify([
    {
      title: "t",
      current_node: "2",
      mapping: {
        "1": { id: "1", parent: null, children: ["2"], message: part("user", "hello") },
        "2": { id: "2", parent: "1", children: [], message: part("assistant", "hi") },
      },
    },
  ]),
  JSON.stringify([
    {
      uuid: "u",
      chat_messages: [
        { sender: "human", text: "hello" },
        { sender: "assistant", text: "hi" },
      ],
    },
  ]),
  JSON.stringify({
    contents: [
      { role: "user", parts: [{ text: "a" }] },
      { role: "model", parts: [{ text: "b" }] },
    ],
  }),
];

function part(role: string, text: string) {
  return { author: { role }, content: { content_type: "text", parts: [text] } };
}
