/** Files as people have them, by the command line: what each is, what is trained of it, and what is refused and why. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { weft } from "../command.suite.ts";
import { caseFolder, evaluate, given, train } from "./data-cases.suite.ts";

const folder = caseFolder();
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder(), name);
  writeFileSync(path, content);
  return path;
};

describe("a file is what its content says", () => {
  it.each([
    ["A1-array.json", 'a JSON list; 40 rows of instruction; frame: "Task: …"'],
    ["A2-table.csv", "CSV; 120 rows of instruction"],
    ["A3-rows.jsonl.gz", "JSON lines, gzip; 40 rows of prompt/response"],
    ["B1-messages.jsonl", "JSON lines; 40 rows of messages; frame: turns"],
    ["B2-conversations.jsonl", "JSON lines; 40 rows of conversations; frame: turns"],
    ["B3-completion.jsonl", "JSON lines; 40 rows of prompt/completion; frame: prompt and response as they stand"],
    ["B4-text.jsonl", "JSON lines; 40 rows of text"],
    ["B6-conversational-prompt-completion.jsonl", "JSON lines; 40 rows of prompt/completion; frame: turns"],
  ])("%s trains, and one line says as what", async (name, what) => {
    const { code, err } = await train(given(name));
    expect([code, err]).toEqual([0, expect.stringContaining(`data: ${given(name)}: ${what}`)]);
  });

  it.each([
    ["A4-columns.parquet", ": this begins as a Parquet file but cannot be read as one"],
    ["A5-utf16.txt", ": this is UTF-16 (little-endian), not UTF-8; give utf-16le as its charset"],
    ["A6-latin1.jsonl", ":1: byte 14 of the line (f9) is not UTF-8; save the file as UTF-8, or name its charset"],
    ["A9-latin1.txt", ":1: byte 5 of the line (e0) is not UTF-8"],
  ])("%s is refused in one line, before anything is trained", async (name, what) => {
    const { code, out, err } = await train(given(name));
    expect([code, err]).toEqual([2, expect.stringContaining(`weft: ${given(name)}${what}`)]);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "DATA_FORMAT", exitCode: 2 } });
    expect(err.split("\n")).toHaveLength(2);
  });

  it.each([
    ["A5-utf16.txt", "--charset utf-16le"],
    ["A6-latin1.jsonl", "--charset latin1"],
    ["A9-latin1.txt", "--charset latin1"],
  ])("%s: the refusal names the flag %s", async (name, flag) => {
    expect((await train(given(name))).err).toContain(flag);
  });

  it("A5, A6 and A9 are read where their character set is named", async () => {
    for (const [name, charset, what] of [
      ["A5-utf16.txt", "utf-16le", "text; 40 paragraphs"],
      ["A6-latin1.jsonl", "latin1", "JSON lines; 40 rows"],
      ["A9-latin1.txt", "windows-1252", "text; "],
    ] as const) {
      const { code, err } = await train(given(name), "--charset", charset);
      expect([name, code, err]).toEqual([name, 0, expect.stringContaining(what)]);
    }
    const wrong = await train(given("A9-latin1.txt"), "--charset", "latin-17");
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining("latin-17 is no known charset") });
  });

  it("columns of other names are mapped, and a wrong name is told with the right one", async () => {
    const rows = Array.from({ length: 20 }, (_, i) => `Was ist ${i}?;"Es ist\n${i}";${i}`);
    const data = file("fragen.csv", ["frage;antwort;nummer", ...rows].join("\n"));
    const { code, err } = await train(data, "--columns", "prompt=frage,response=antwort");
    expect([code, err]).toEqual([
      0,
      expect.stringContaining("semicolons); 20 rows of prompt/response; not trained on: nummer"),
    ]);
    const unmapped = await train(data);
    expect(unmapped).toMatchObject({ code: 2, err: expect.stringContaining("columns prompt=frage") });
    const wrong = await train(data, "--columns", "prompt=frage,response=antwot");
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('did you mean "antwort"?') });
  });

  it("a chat between people trains, and --roles says whose words are learnt", async () => {
    const days = Array.from({ length: 20 }, (_, i) => {
      const day = `${1 + i}.03.24`;
      return `${day}, 10:05 - Anna: Ist ${i} hoch?\n${day}, 10:06 - Dr. Weber: Ja, ${i} ist hoch.`;
    });
    const chat = file("chat.txt", days.join("\n"));
    const all = await train(chat);
    const learnt = "WhatsApp chat; 20 days; speakers: Anna, Dr. Weber; everybody's words are learnt";
    expect([all.code, all.err]).toEqual([0, expect.stringContaining(learnt)]);
    const { code, err } = await train(chat, "--roles", "assistant=Dr. Weber");
    expect([code, err]).toEqual([0, expect.stringContaining("speakers: Anna, Dr. Weber; frame: turns")]);
    const unknown = await train(chat, "--roles", "assistant=Dr. Weaver");
    expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining('did you mean "Dr. Weber"?') });
  });

  it("shards in a folder are one set, each in its own form", async () => {
    const shards = join(folder(), "shards");
    mkdirSync(shards);
    const rows = (from: number, to: number): object[] =>
      Array.from({ length: to - from }, (_, i) => ({ prompt: `say ${from + i}`, completion: `it is ${from + i}` }));
    const lines = (some: object[]): string => some.map((row) => `${JSON.stringify(row)}\n`).join("");
    writeFileSync(join(shards, "a.jsonl"), lines(rows(0, 10)));
    writeFileSync(join(shards, "b.jsonl.zst"), zstdCompressSync(lines(rows(10, 20))));
    writeFileSync(join(shards, "c.json.gz"), gzipSync(JSON.stringify(rows(20, 25))));
    writeFileSync(join(shards, "dataset_info.json"), "{}");
    const { code, err } = await train(shards);
    expect([code, err]).toEqual([
      0,
      expect.stringContaining("JSON lines, JSON lines, zstd, a JSON list, gzip; 25 rows of prompt/completion"),
    ]);
  });
});

describe("what is held out", () => {
  it("eval says and leaves out what an adapter was trained on, though another file calls it a test", async () => {
    const rows = Array.from({ length: 30 }, (_, i) => ({ prompt: `say ${i}`, response: `it is ${i}` }));
    const lines = (some: object[]): string => some.map((row) => `${JSON.stringify(row)}\n`).join("");
    const data = file("all.jsonl", lines(rows));
    const { folder: adapter } = await train(data);
    const fresh = Array.from({ length: 3 }, (_, i) => ({ question: `tell ${i}`, answer: `no ${i}` }));
    const test = file("test.jsonl", lines([...rows, ...fresh]));
    const { examples, err } = await evaluate("--test", test, "--adapter", adapter);
    const left = Number(/(\d+) held-out records were trained on before; they are left out/.exec(err)?.[1]);
    expect(left).toBeGreaterThan(15);
    expect(examples).toBe(33 - left);
  });

  it("files of validation and test are held out whole, and what they repeat of the data is not trained on", async () => {
    const lines = (from: number, to: number): string =>
      Array.from(
        { length: to - from },
        (_, i) => `${JSON.stringify({ prompt: `say ${from + i}`, response: `it is ${from + i}` })}\n`,
      ).join("");
    const data = file("main.jsonl", lines(0, 20));
    const [validation, test] = [file("v.jsonl", lines(18, 22)), file("t.jsonl", lines(15, 19))];
    const { code, err } = await train(data, "--validation", validation, "--test", test);
    expect([code, err]).toEqual([0, expect.stringContaining("1 step on 15 examples")]);
    expect(err).toContain("5 records stand in a file of held-out data too; they are not trained on");
    const alone = await weft(["eval", "--validation", validation, "--set", "validation", "--json"]);
    expect(JSON.parse(alone.out)).toMatchObject({ set: "validation", examples: 4 });
    const without = await weft(["train", "--test", test, "--out", join(folder(), "none")]);
    expect(without).toMatchObject({ code: 2, err: expect.stringContaining("give that too") });
  });
});

describe("a prompt is put to the adapter as it was trained", () => {
  it("L1: the blank before a response is trained once", async () => {
    const model = given("L1-space-before-response");
    const { code } = await train(join(model, "rows.jsonl"), "--model", model);
    expect(code).toBe(0);
    const { loadExamples } = await import("../../node/local/data-source.ts");
    const { tokenizerOfFiles } = await import("../../node/model/tokenizer.ts");
    const { sets } = await loadExamples({
      file: join(model, "rows.jsonl"),
      modelDirectory: model,
      maxTokens: 64,
      batchSize: 1,
      seed: 1,
    });
    const tokenizer = tokenizerOfFiles({
      directory: model,
      tokenizer: readFileSync(join(model, "tokenizer.json")),
      tokenizerConfig: JSON.parse(readFileSync(join(model, "tokenizer_config.json"), "utf8")),
    });
    const texts = new Set(sets.train.map(({ tokens }) => tokenizer.decode(tokens)));
    expect([...texts].toSorted()).toEqual(["Answer: no", "Answer: the king", "Answer: yes"]);
  });
});
