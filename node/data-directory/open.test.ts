import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDirectory, openPeerDirectory, withDirectory } from "./open.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-open-"));
});
afterEach(() => rm(root, { recursive: true }));

test("one at a time has it open; whoever comes next finds what was stored", async () => {
  const directory = await openDirectory(root);
  await expect(openDirectory(root)).rejects.toMatchObject({ code: "DATA_LOCKED" });
  expect(await directory.storeIfThere()).toBeUndefined();
  const store = await directory.store();
  expect(await directory.store()).toBe(store);
  await store.batch([{ put: "a", value: Uint8Array.of(1) }]);
  await directory.close();
  await directory.close();
  await withDirectory(root, {}, async (again) => {
    expect(await (await again.storeIfThere())?.get("a")).toEqual(Uint8Array.of(1));
  });
});

test("it is left again when its use fails, a store that cannot be opened included", async () => {
  const failed = withDirectory(root, {}, async () => {
    throw new Error("no");
  });
  await expect(failed).rejects.toThrow("no");
  // A file where the store's folder belongs.
  await writeFile(join(root, "store"), "");
  await expect(withDirectory(root, {}, (directory) => directory.store())).rejects.toMatchObject({
    code: "STORE_FAILED",
  });
  await (await openDirectory(root)).close();
});

test("a peer's key is made on first use, where that is asked for", async () => {
  const folder = join(root, "alice");
  await expect(openPeerDirectory(folder, { key: "there" })).rejects.toMatchObject({ code: "KEY_FILE" });
  expect(existsSync(folder)).toBe(false);
  const { signer, directory } = await openPeerDirectory(folder, { key: "make" });
  await directory.close();
  const again = await openPeerDirectory(folder, { key: "there" });
  expect(again.signer.peer).toBe(signer.peer);
  await again.directory.close();
});
