import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sharedAsset } from "../../golden/shared-assets.suite.ts";
import { openDataSet, readDataFile, writeDataFile } from "./data-files.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-data-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe("data files", () => {
  test("rows are read whatever the line ends, also without one at the end and across read chunks", async () => {
    const long = "x".repeat(100_000);
    const rows = [long, "b", "c"].map((response) => JSON.stringify({ prompt: "p ", response }));
    const path = write("rows.jsonl", rows.join("\r\n"));
    expect((await readDataFile(path)).map(({ response }) => response)).toEqual([long, "b", "c"]);
  });

  test.skipIf(process.platform !== "linux")("what the system says while a file is read is one line", async () => {
    const refused = {
      code: "DATA_FORMAT",
      message: "/proc/self/mem cannot be read; the disk or the network behind it fails",
    };
    await expect(readDataFile("/proc/self/mem")).rejects.toMatchObject(refused);
  });

  test("what is written is read back", async () => {
    const records = [
      { prompt: "A:\n", response: "line\n\nline", fields: { speaker: "A" }, overflow: "continue" as const },
      { prompt: "q ->", response: " é 犬", fields: { kind: "k", set: "test" }, overflow: "cut" as const },
    ];
    const path = join(folder, "share.jsonl");
    await writeDataFile(path, records);
    expect(await readDataFile(path)).toEqual(records);
  });

  test("a text is read as a play or as paragraphs", async () => {
    const play = await readDataFile(write("play.txt", "ANN:\nGood day.\n\nTOM:\nAnd to you.\n"));
    expect(play.map(({ fields }) => fields.speaker)).toEqual(["ANN", "TOM"]);
    const prose = await readDataFile(write("prose.txt", "One two three four five six seven eight nine.\n"));
    expect(prose[0]!.prompt).toBe("One two three four");
  });

  test("a malformed row is named by file and line", async () => {
    const path = write("broken.jsonl", '{"prompt":"a","response":"b"}\n\n{"prompt":\n');
    await expect(readDataFile(path)).rejects.toMatchObject({
      code: "DATA_FORMAT",
      message: `${path}:3: this is not JSON; write one complete object on the line`,
    });
  });

  test("a line without end is refused before it fills the memory", async () => {
    const path = write("endless.jsonl", '{"prompt":"a","response":"b"}\n');
    for (let i = 0; i < 17; i++) appendFileSync(path, "x".repeat(2 ** 20));
    await expect(readDataFile(path)).rejects.toMatchObject({
      message: expect.stringMatching(/:2: this line is longer than 16777216 characters/),
    });
  });

  test("a file that is written while it is read is read as far as it went, which is told", async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => `{"prompt":"a ${i}","response":"b"}\n`).join("");
    const grown = async (name: string, begin: string, act: (path: string) => void) => {
      const path = write(name, begin);
      const { records, found } = await openDataSet(path);
      let count = 0;
      for await (const _ of records) if ((count += 1) === 1) act(path);
      return { count, warnings: [...found.warnings].join() };
    };
    const more = (path: string) => appendFileSync(path, '{"prompt":"c","response":"d"}\n');
    const read = await grown("log.jsonl", rows, more);
    expect(read).toEqual({
      count: 40_000,
      warnings: expect.stringContaining("grew while it was read; what was written"),
    });
    await expect(grown("half.jsonl", `${rows}{"prompt":`, more)).rejects.toThrow(
      /:40001: .*; the file grows while it is read/,
    );
    const cut = (path: string) => truncateSync(path, 100);
    await expect(grown("cut.jsonl", rows, cut)).rejects.toThrow("became shorter while it was read; give a copy");
    const replaced = (path: string) => {
      writeFileSync(`${path}.new`, "other");
      renameSync(`${path}.new`, path);
    };
    expect(await grown("replaced.jsonl", rows, replaced)).toEqual({ count: 40_000, warnings: "" });
  });

  test("empty, missing and unreadable files are one clear line each", async () => {
    const cases: [string, RegExp][] = [
      [write("empty.jsonl", "\n\n"), /has no rows/],
      [write("empty.txt", " \n"), /is empty/],
      [join(folder, "missing.jsonl"), /cannot be read; check that the file exists/],
      [mkdtempSync(join(folder, "empty-")), /is not a file/],
    ];
    for (const [path, text] of cases) {
      await expect(readDataFile(path), path).rejects.toMatchObject({
        code: "DATA_FORMAT",
        message: expect.stringMatching(text),
      });
    }
  });
});

const shakespeare = sharedAsset("data/tinyshakespeare/input.txt", "tinyshakespeare, a megabyte of plays");
describe.skipIf(shakespeare.missing)("tinyshakespeare", () => {
  test("is 7,097 speeches of 299 speakers; the other headings have no speech", async () => {
    const records = await readDataFile(shakespeare.path);
    expect(records[0]).toEqual({
      prompt: "First Citizen:\n",
      response: "Before we proceed any further, hear me speak.",
      fields: { speaker: "First Citizen" },
      overflow: "continue",
    });
    // Counted apart from this code: blocks between blank lines with more than one line, and their first lines.
    expect(records).toHaveLength(7097);
    expect(new Set(records.map(({ fields }) => fields.speaker)).size).toBe(299);
  });
});
