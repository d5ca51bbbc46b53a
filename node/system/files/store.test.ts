import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeSuite } from "./store.suite.ts";
import { openStore, storeError } from "./store.ts";

let root: string;
let count = 0;
const folder = (): string => join(root, `store-${count++}`);
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-store-"));
});
afterAll(() => rm(root, { recursive: true }));

describe("the store on disk", () => {
  storeSuite(() => openStore(folder()));

  test("what was put is there after closing and opening again", async () => {
    const path = folder();
    const before = await openStore(path);
    await before.batch([{ put: "a", value: Uint8Array.of(1, 2) }]);
    await before.close();
    const after = await openStore(path);
    expect(await after.get("a")).toEqual(Uint8Array.of(1, 2));
    await after.close();
  });

  test("what was put is there after SIGKILL, and the killed process holds no lock", async () => {
    const path = folder();
    const module = new URL("./store.ts", import.meta.url).href;
    const script = `
      const { openStore } = await import(${JSON.stringify(module)});
      const store = await openStore(process.argv[1]);
      await store.batch([{ put: "a", value: Uint8Array.of(7) }]);
      console.log("written");
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await expect(openStore(path)).rejects.toMatchObject({ code: "DATA_LOCKED" });
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await openStore(path);
    expect(await store.get("a")).toEqual(Uint8Array.of(7));
    await store.close();
  });

  test("a second opening of the same folder is refused", async () => {
    const path = folder();
    const store = await openStore(path);
    await expect(openStore(path)).rejects.toMatchObject({ code: "DATA_LOCKED" });
    await store.close();
  });

  test("what LevelDB says becomes a code and one line", () => {
    const error = (code: string, text: string) => Object.assign(new Error(text), { code });
    const full = error("LEVEL_IO_ERROR", "IO error: /x/000003.log: No space left on device");
    const rows = [
      [full, "DISK_FULL"],
      [new Error("Database failed to open", { cause: full }), "DISK_FULL"],
      [error("LEVEL_IO_ERROR", "IO error: /x/store: Too many open files"), "STORE_FAILED"],
      [error("LEVEL_IO_ERROR", "IO error: /x/000003.log: File too large"), "STORE_FAILED"],
      [error("LEVEL_LOCKED", "IO error: lock /x/LOCK"), "DATA_LOCKED"],
      [error("LEVEL_CORRUPTION", "Corruption: bad block\nand more"), "STORE_FAILED"],
    ] as const;
    for (const [cause, code] of rows) {
      const { code: got, message } = storeError(cause, "/x");
      expect(got, message).toBe(code);
      expect(message).not.toContain("\n");
    }
    expect(storeError(rows[2][0], "/x").message).toContain("raise its limit (ulimit -n)");
    expect(storeError(rows[3][0], "/x").message).toContain("raise its limit (ulimit -f)");
  });
});
