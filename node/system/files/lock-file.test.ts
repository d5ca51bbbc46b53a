import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, link, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isCopyInUse, lockHolder, takeLock } from "./lock-file.ts";

let root: string;
let path: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-lock-"));
  path = join(root, "lock");
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  await rm(root, { recursive: true });
});

/** Another process that holds the lock. */
async function holder(): Promise<ChildProcess> {
  const module = new URL("./lock-file.ts", import.meta.url).href;
  const script = `
    const { takeLock } = await import(${JSON.stringify(module)});
    await takeLock(process.argv[1]);
    console.log("held");
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  await once(child.stdout!, "data");
  return child;
}

test("a second process is refused by name, and let in once the first was killed", async () => {
  const child = await holder();
  await expect(takeLock(path)).rejects.toMatchObject({
    code: "DATA_LOCKED",
    message: `data directory ${root} is in use by process ${child.pid}`,
    facts: { folder: root, process: child.pid, problem: "in-use" },
  });
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = await takeLock(path);
  expect(await readdir(root)).toEqual(["lock"]);
  await lock.release();
  expect(await readdir(root)).toEqual([]);
});

test("the same process is refused while it holds the lock, and let in after releasing it", async () => {
  const lock = await takeLock(path);
  await expect(takeLock(path)).rejects.toMatchObject({ code: "DATA_LOCKED" });
  await lock.release();
  await lock.release();
  await (await takeLock(path)).release();
});

test("a copy of a folder in use is said to be that, and is free once the holder is gone", async () => {
  const child = await holder();
  const copy = join(root, "copy");
  await cp(path, join(copy, "lock"), { preserveTimestamps: true });
  await expect(takeLock(join(copy, "lock"))).rejects.toMatchObject({
    code: "DATA_LOCKED",
    message: `data directory ${copy} is a copy of one that process ${child.pid} has in use, and has the same key`,
    facts: { folder: copy, process: child.pid, problem: "copy-in-use" },
  });
  expect(await lockHolder(path)).toEqual({ process: child.pid, isThere: true });
  expect(await lockHolder(join(copy, "lock"))).toEqual({ process: child.pid, isThere: false });
  expect([await isCopyInUse(path), await isCopyInUse(join(copy, "lock"))]).toEqual([false, true]);
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await takeLock(join(copy, "lock"))).release();
});

test("a lock of an earlier version, which does not name its file, is held where it lies", async () => {
  const lock = await takeLock(path);
  const { file: _, ...earlier } = JSON.parse(await readFile(path, "utf8"));
  await lock.release();
  await writeFile(path, JSON.stringify(earlier));
  await expect(takeLock(path)).rejects.toMatchObject({ code: "DATA_LOCKED", facts: { problem: "in-use" } });
});

test("whoever waits gets it when it is free, and hears who has it when the time is over", async () => {
  const first = await takeLock(path);
  await expect(takeLock(path, { waitMs: 1 })).rejects.toMatchObject({ code: "DATA_LOCKED" });
  let has = false;
  const waiting = takeLock(path, { waitMs: 1e9 }).then((lock) => {
    has = true;
    return lock;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(has).toBe(false);
  await first.release();
  await (await waiting).release();
});

test.each([
  ["a process that is gone", (own: object) => ({ ...own, process: 2 ** 30 })],
  ["a process that has another's number", (own: object) => ({ ...own, startedAt: "1" })],
  ["a process before the machine's last boot", (own: object) => ({ ...own, boot: "another" })],
])("the lock of %s is taken over", async (_title, change) => {
  const first = await takeLock(path);
  const own = JSON.parse(await readFile(path, "utf8"));
  await first.release();
  await writeFile(path, JSON.stringify(change(own)));
  await (await takeLock(path)).release();
});

test.each(["", "{", "null", '{"process":-1}', '{"process":"x"}'])("the contents %j name no holder", async (text) => {
  await writeFile(path, text);
  await (await takeLock(path)).release();
});

test("a process killed while it took the lock does not keep out one that has its number", async () => {
  const first = await takeLock(path);
  const own = JSON.parse(await readFile(path, "utf8"));
  await first.release();
  await writeFile(path, JSON.stringify({ ...own, startedAt: "1" }));
  await link(path, `${path}.${process.pid}`);
  await (await takeLock(path)).release();
  expect(await readdir(root)).toEqual([]);
});

test("releasing leaves a lock alone that is somebody else's by now", async () => {
  const lock = await takeLock(path);
  await writeFile(path, "other");
  await lock.release();
  expect(await readFile(path, "utf8")).toBe("other");
});
