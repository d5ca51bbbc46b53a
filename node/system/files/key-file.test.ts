import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readKey, readOrCreateKey } from "./key-file.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-key-"));
});
afterEach(() => rm(root, { recursive: true }));

test("a key is made once, for its owner only, and read back after", async () => {
  const path = join(root, "peer", "key");
  const first = await readOrCreateKey(path);
  expect(first.created).toBe(true);
  expect(first.seed.length).toBe(32);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(root, "peer"))).mode & 0o777).toBe(0o700);
  expect(await readOrCreateKey(path)).toEqual({ seed: first.seed, created: false });
  const other = await readOrCreateKey(join(root, "other", "key"));
  expect(other.seed).not.toEqual(first.seed);
});

test("no file is no key", async () => {
  expect(await readKey(join(root, "key"))).toBeUndefined();
});

test.each([0o640, 0o604, 0o644, 0o620, 0o601])("a file of mode %o is refused with the command to run", async (mode) => {
  const path = join(root, "key");
  await readOrCreateKey(path);
  await chmod(path, mode);
  await expect(readOrCreateKey(path)).rejects.toMatchObject({
    code: "KEY_FILE",
    message: expect.stringContaining(`run: chmod 600 ${path}`),
  });
});

test("a folder that others may read is refused, its name quoted for the shell", async () => {
  const folder = join(root, "it's mine");
  await mkdir(folder, { mode: 0o755 });
  await writeFile(join(folder, "notes.txt"), "mine");
  await chmod(folder, 0o755);
  await expect(readOrCreateKey(join(folder, "key"))).rejects.toMatchObject({
    code: "KEY_FILE",
    message: expect.stringContaining(`run: chmod 700 '${root}/it'\\''s mine'`),
  });
});

test("an empty folder that others may read becomes its owner's alone", async () => {
  const folder = join(root, "alice");
  await mkdir(folder);
  await chmod(folder, 0o755);
  expect((await readOrCreateKey(join(folder, "key"))).created).toBe(true);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

test.each([
  ["empty", new Uint8Array(0), /has 0 bytes instead of 32/],
  ["short", new Uint8Array(31).fill(1), /has 31 bytes/],
  ["long", new Uint8Array(33).fill(1), /has 33 bytes/],
  ["zeroed", new Uint8Array(32), /zeros only/],
])("a key file that is %s is refused and stays as it is", async (_title, bytes, text) => {
  const path = join(root, "key");
  await writeFile(path, bytes, { mode: 0o600 });
  await expect(readOrCreateKey(path)).rejects.toMatchObject({
    code: "KEY_FILE",
    message: expect.stringMatching(text),
  });
  expect((await stat(path)).size).toBe(bytes.length);
});
