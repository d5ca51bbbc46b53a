/** Parquet and Arrow as pyarrow 25 writes them (`node/data/cases/tables`): the rows that went in come out. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDataSet, readDataFile } from "./data-files.ts";

const TABLES = join(import.meta.dirname, "../../data/cases/tables");
const table = (name: string): string => join(TABLES, name);
const rows = Array.from({ length: 5 }, (_, i) => ({
  question: `say ${i}`,
  response: `it is ${i}\n– naïve`,
  fields: { n: `${i}` },
}));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-tables-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("tables", () => {
  it.each(["none", "snappy", "gzip", "zstd", "brotli", "lz4"].map((name) => `plain-${name}.parquet`))(
    "%s, in several row groups",
    async (name) => expect(await readDataFile(table(name))).toMatchObject(rows),
  );

  it.each(["plain-stream.arrow", "plain-file.arrow", "plain-zstd.feather"])("%s", async (name) =>
    expect(await readDataFile(table(name))).toMatchObject(rows),
  );

  it.each(["chat.parquet", "chat-file.arrow"])("%s has lists of messages", async (name) => {
    const [first] = await readDataFile(table(name));
    expect(first!.conversation!.messages).toEqual([
      { role: "user", content: "u0" },
      { role: "assistant", content: "a0" },
    ]);
  });

  it("a packed table is unpacked first, and its name says nothing", async () => {
    const path = join(folder, "rows.txt");
    writeFileSync(path, gzipSync(readFileSync(table("plain-snappy.parquet"))));
    const { found, records } = await openDataSet(path);
    let count = 0;
    for await (const _ of records) count += 1;
    expect([count, found.line()]).toEqual([5, "Parquet, gzip; 5 rows of prompt/response; not trained on: n"]);
  });

  it("what is damaged, cut off or packed by LZ4 in Arrow is refused with its name", async () => {
    const cut = (name: string, by: number): string => {
      const bytes = readFileSync(table(name));
      const path = join(folder, `cut-${name}`);
      writeFileSync(path, bytes.subarray(0, bytes.length - by));
      return path;
    };
    const cases: [string, RegExp][] = [
      [cut("plain-snappy.parquet", 20), /begins as a Parquet file but cannot be read as one/],
      [cut("plain-stream.arrow", 300), /begins as an Arrow file but cannot be read as one/],
      [
        table("encrypted-columns.parquet"),
        /columns of this Parquet file are encrypted, which weft does not read; decrypt it/,
      ],
      [table("plain-lz4.feather"), /Arrow file but cannot be read as one .*; write it uncompressed or by zstd/],
    ];
    for (const [path, text] of cases) {
      await expect(readDataFile(path), path).rejects.toMatchObject({
        code: "DATA_FORMAT",
        message: expect.stringMatching(text),
      });
    }
  });
});
