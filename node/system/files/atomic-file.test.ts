import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NodeError } from "../../errors.ts";
import { ensureFolder, fileError, temporaryPath, writeFileAtomic } from "./atomic-file.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-file-"));
});
afterEach(() => rm(root, { recursive: true }));

test("a file is replaced whole, with its mode, and nothing else stays in the folder", async () => {
  const path = join(root, "a");
  await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
  await writeFile(temporaryPath(path), "left by a killed writer", { mode: 0o666 });
  await writeFileAtomic(path, Uint8Array.of(4), { mode: 0o600 });
  expect([...(await readFile(path))]).toEqual([4]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(root)).toEqual(["a"]);
});

test.skipIf(process.platform === "win32")("of a link the file that it leads to is replaced", async () => {
  await mkdir(join(root, "elsewhere"));
  await writeFile(join(root, "elsewhere", "file"), "old");
  await symlink(join("elsewhere", "file"), join(root, "link"));
  await writeFileAtomic(join(root, "link"), Buffer.from("new"));
  expect(await readlink(join(root, "link"))).toBe(join("elsewhere", "file"));
  expect(await readFile(join(root, "elsewhere", "file"), "utf8")).toBe("new");
  expect(await readdir(root)).toEqual(["elsewhere", "link"]);
});

test.skipIf(process.platform === "win32")("a pipe is written to, as a device is, and stays what it is", async () => {
  const pipe = join(root, "pipe");
  execFileSync("mkfifo", [pipe]);
  const [read] = await Promise.all([readFile(pipe, "utf8"), writeFileAtomic(pipe, Buffer.from("said"))]);
  expect(read).toBe("said");
  expect((await stat(pipe)).isFIFO()).toBe(true);
  expect(await readdir(root)).toEqual(["pipe"]);
});

test("a failure leaves what was there, and no temporary file", async () => {
  const path = join(root, "taken");
  await mkdir(join(path, "inside"), { recursive: true });
  await expect(writeFileAtomic(path, Uint8Array.of(1))).rejects.toMatchObject({ code: "DATA_DIRECTORY" });
  expect(await readdir(root)).toEqual(["taken"]);
  expect(await readdir(path)).toEqual(["inside"]);
});

test("a folder below a file is refused with one line", async () => {
  const path = join(root, "file");
  await writeFile(path, "");
  const refused = expect.objectContaining({ code: "DATA_DIRECTORY", message: expect.stringContaining(path) });
  await expect(ensureFolder(join(path, "below"))).rejects.toEqual(refused);
  await expect(writeFileAtomic(join(path, "below"), Uint8Array.of(1))).rejects.toEqual(refused);
});

test.each([
  ["ENOSPC", "DISK_FULL", /no space left to write \/x\/y/],
  ["EDQUOT", "DISK_FULL", /no space left/],
  ["EACCES", "DATA_DIRECTORY", /\/x\/y: permission denied/],
  ["EROFS", "DATA_DIRECTORY", /read-only/],
  ["EIO", "DATA_DIRECTORY", /the disk reports an error/],
  ["ELOOP", "DATA_DIRECTORY", /ELOOP/],
])("the system's %s is %s", (system, code, text) => {
  const cause = Object.assign(new Error("x"), { code: system, syscall: "write" });
  const error = fileError(cause, "/x/y") as NodeError;
  expect(error).toBeInstanceOf(NodeError);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(text);
  expect(error.message).not.toContain("\n");
  expect(error.cause).toBe(cause);
});

test.skipIf(process.platform !== "linux")(
  "a file system that has no new folders is refused, not asked for ever",
  async () => {
    await expect(ensureFolder("/proc/weft/peer")).rejects.toMatchObject({ code: "DATA_DIRECTORY" });
  },
);

test("what is not the system's error stays what it is", () => {
  const error = new RangeError("x");
  expect(fileError(error, "/x")).toBe(error);
});
