import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { openLife } from "./life.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-life-"));
  await mkdir(at("alice"));
});
afterEach(() => rm(folder, { recursive: true }));
const at = (...names: readonly string[]): string => join(folder, ...names);
const pathsIn = (name: string) => ({ life: at(name, "life"), restoredKey: at(name, "key.restored") });

type MemoryStore = ReturnType<typeof createMemoryStore>;
async function copyOf(store: MemoryStore): Promise<MemoryStore> {
  const copy = createMemoryStore();
  for await (const [key, value] of store.entries("")) await copy.batch([{ put: key, value }]);
  return copy;
}
const isOld = async (name: string, store: MemoryStore): Promise<boolean> => {
  const life = await openLife(pathsIn(name), store);
  await life.close();
  return life.mayBeOld;
};

describe("the files of a data directory", () => {
  it("go on from life to life", async () => {
    const store = createMemoryStore();
    for (const _ of [1, 2, 3, 4]) expect(await isOld("alice", store)).toBe(false);
  });

  it("are known as a copy, which stays one until it is said to be the newest", async () => {
    const store = createMemoryStore();
    await isOld("alice", store);
    await cp(at("alice"), at("copy"), { recursive: true });
    const copied = await copyOf(store);
    expect([await isOld("copy", copied), await isOld("copy", copied)]).toEqual([true, true]);
    const life = await openLife(pathsIn("copy"), copied);
    await life.begin();
    await life.begin();
    await life.close();
    expect(await isOld("copy", copied)).toBe(false);
    expect(await isOld("alice", store)).toBe(false);
  });

  it("are known as old where an older store was put back among them, or theirs was lost", async () => {
    const store = createMemoryStore();
    await isOld("alice", store);
    const backup = await copyOf(store);
    for (const _ of [1, 2]) await isOld("alice", store);
    expect(await isOld("alice", backup)).toBe(true);
    expect(await isOld("alice", createMemoryStore())).toBe(true);
    expect(await isOld("alice", store)).toBe(false);
  });

  it("are known as old where a backup was written into them, in an inode whose number was used before", async () => {
    const store = createMemoryStore();
    await isOld("alice", store);
    const content = await readFile(at("alice", "life"), "utf8");
    const { ino, birthtimeNs } = await stat(at("alice", "life"), { bigint: true });
    const marked = (mark: string): MemoryStore => {
      const made = createMemoryStore();
      void made.batch([{ put: "directory/life", value: new TextEncoder().encode(JSON.stringify([mark])) }]);
      return made;
    };
    expect(await isOld("alice", marked(`${content} ${ino} ${birthtimeNs - 1_000_000n}`))).toBe(true);
    // An earlier version knew nothing of that.
    expect(await isOld("alice", marked(`${content} ${ino}`))).toBe(false);
  });

  it("go on after a stop between the store and the file", async () => {
    const store = createMemoryStore();
    await isOld("alice", store);
    const before = await readFile(at("alice", "life"));
    // The store knows the next mark, and the file is still this one.
    await cp(at("alice", "life"), at("kept"));
    const stopped = { ...store, batch: store.batch };
    await openLife({ life: at("alice", "life"), restoredKey: at("none") }, stopped);
    expect(await readFile(at("alice", "life"))).not.toEqual(before);
    expect(await isOld("alice", store)).toBe(false);
  });

  it("of a key that came from a backup may be old", async () => {
    await writeFile(at("alice", "key.restored"), "");
    expect(await isOld("alice", createMemoryStore())).toBe(true);
  });
});
