import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readShortFile, readShortText } from "./short-file.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-short-"));
});
afterAll(() => rm(folder, { recursive: true }));

it("reads a file whole, up to the byte that is one too many", async () => {
  const path = join(folder, "file");
  await writeFile(path, "abc");
  expect(await readShortText(path, 3)).toBe("abc");
  expect(await readShortFile(path, 2)).toBeUndefined();
  await writeFile(path, "");
  expect(await readShortFile(path, 0)).toEqual(Buffer.alloc(0));
});

it.skipIf(process.platform === "win32")("reads no device to an end that never comes", async () => {
  expect(await readShortFile("/dev/zero", 100_000)).toBeUndefined();
  expect(await readShortText("/dev/null", 100)).toBe("");
});

it("throws what the system says", async () => {
  await expect(readShortFile(join(folder, "none"), 1)).rejects.toMatchObject({ code: "ENOENT", syscall: "open" });
  await expect(readShortFile(folder, 1)).rejects.toMatchObject({ code: "EISDIR" });
});
