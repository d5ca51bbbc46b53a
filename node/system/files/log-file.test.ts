import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LOG_FILE_BOUNDS, logFiles, logTail, openLogFile } from "./log-file.ts";

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "weft-log-")), "logs");
});
afterEach(() => rm(join(folder, ".."), { recursive: true }));

test("lines are appended, by their owner alone to be read, also by the next process", async () => {
  for (const text of ["one", "two"]) {
    const file = await openLogFile(folder);
    file.write(`${text}\n`);
    file.close();
    file.write("after its end\n");
  }
  const [path = ""] = logFiles(folder);
  expect(await readFile(path, "utf8")).toBe("one\ntwo\n");
  if (process.platform !== "win32") {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  }
});

test("a full file becomes the one before, and the oldest goes: never more than so many bytes in so many files", async () => {
  const bounds = { fileBytes: 100, files: 3 };
  const file = await openLogFile(folder, bounds);
  for (let n = 0; n < 100; n++) file.write(`line ${String(n).padStart(3, "0")}\n`);
  file.write(`${"x".repeat(500)}\n`);
  file.write("last\n");
  file.close();
  expect((await readdir(folder)).sort()).toEqual(["weft.1.log", "weft.2.log", "weft.log"]);
  expect(await readFile(join(folder, "weft.log"), "utf8")).toBe("last\n");
  // A line that is longer than a file has one of its own.
  expect(await readFile(join(folder, "weft.1.log"), "utf8")).toHaveLength(501);
  expect(await readFile(join(folder, "weft.2.log"), "utf8")).toMatch(/^(line 0\d\d\n)*line 099\n$/);
});

test("the newest lines are read without the rest; a torn one is none", async () => {
  expect(await logTail(folder, 5)).toEqual([]);
  const file = await openLogFile(folder);
  for (let n = 0; n < 20_000; n++) file.write(`{"n":${n},"text":"${"x".repeat(20)}"}\n`);
  file.write('{"n":');
  file.close();
  const lines = await logTail(folder, 3);
  expect(lines.map((line) => JSON.parse(line).n)).toEqual([19_997, 19_998, 19_999]);
  expect((await logTail(folder, 1_000_000)).every((line) => JSON.parse(line).n > 0)).toBe(true);
  expect(LOG_FILE_BOUNDS.fileBytes * LOG_FILE_BOUNDS.files).toBe(20 * 2 ** 20);
});

test("a folder that is taken away stops nobody", async () => {
  const file = await openLogFile(folder, { fileBytes: 10, files: 2 });
  await rm(folder, { recursive: true });
  for (let n = 0; n < 5; n++) file.write("a line of the log\n");
  file.close();
});
