/** The table of the bounds of a peer's files. */
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepNewest } from "../system/files/atomic-file.ts";
import { INBOX_FILES_MAX, watchRequestInbox } from "../system/files/request-inbox.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { boundOf } from "./file-bounds.ts";
import { CHECKPOINTS_ASIDE, CHECKPOINTS_ASIDE_MAX, dataDirectoryLayout } from "./layout.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-bounds-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("the table of files", () => {
  it("has each path of the layout, and nothing else of the same name", () => {
    const { folder: root, ...paths } = dataDirectoryLayout("/d");
    const names = Object.values(paths).map((path) => path.slice(root.length + 1));
    expect(names.filter((name) => boundOf(name) === undefined)).toEqual([]);
    for (const name of ["egress.jsonl.old", "core", "keys", "checkpoints-"]) expect(boundOf(name)).toBeUndefined();
  });
});

describe("files that would become more and more", () => {
  it("are few: of checkpoints of manifests before, the newest folders are kept", async () => {
    const name = (n: number): string => `checkpoints-0123456789abcdef${n === 0 ? "" : `-${n + 1}`}`;
    const count = CHECKPOINTS_ASIDE_MAX + 3;
    for (let n = 0; n < count; n++) {
      await mkdir(join(folder, name(n)));
      await writeFile(join(folder, name(n), "checkpoint-000001.safetensors"), "");
      await utimes(join(folder, name(n)), n, n);
    }
    await mkdir(join(folder, "checkpoints"));
    await keepNewest(folder, CHECKPOINTS_ASIDE, CHECKPOINTS_ASIDE_MAX);
    const kept = Array.from({ length: CHECKPOINTS_ASIDE_MAX }, (_, n) => name(count - 1 - n));
    expect((await readdir(folder)).sort()).toEqual(["checkpoints", ...kept].sort());
  });

  it("are few: answers that nobody fetched go, the oldest first", async () => {
    for (let n = 0; n < 2 * INBOX_FILES_MAX; n++) {
      await writeFile(join(folder, `${n}.answer.json`), "{}");
      await utimes(join(folder, `${n}.answer.json`), n, n);
    }
    const none = (): void => {};
    const dependencies = { clock: createVirtualClock(0), logger: { debug: none, info: none, warn: none, error: none } };
    const inbox = await watchRequestInbox(folder, dependencies, async () => null);
    await inbox.stop();
    const left = await readdir(folder);
    expect(left.length).toBeLessThanOrEqual(INBOX_FILES_MAX);
    expect(left).toContain(`${2 * INBOX_FILES_MAX - 1}.answer.json`);
  });
});
