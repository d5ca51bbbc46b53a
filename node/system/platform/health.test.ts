import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readOrCreateKey } from "../files/key-file.ts";
import { folderFinding, keyFinding, machineFinding, spaceFinding } from "./health.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-health-"));
});
afterAll(() => rm(root, { recursive: true }));

const isWindows = process.platform === "win32";

describe("a peer's folder", () => {
  it("that is not there yet is no problem, and neither is its key, nor where its disk is", async () => {
    const folder = join(root, "none", "below");
    expect(await folderFinding(folder)).toMatchObject({ name: "data folder", state: "absent" });
    expect(await keyFinding(join(folder, "key"))).toMatchObject({ name: "key", state: "absent" });
    expect(await spaceFinding(folder)).toMatchObject({ name: "disk", text: expect.stringMatching(/^\d+\.\d GB free/) });
  });

  it("made by a peer is well", async () => {
    const folder = join(root, "peer");
    await readOrCreateKey(join(folder, "key"));
    expect(await folderFinding(folder)).toMatchObject({ state: "ok" });
    expect(await keyFinding(join(folder, "key"))).toMatchObject({ state: "ok" });
  });

  it.skipIf(isWindows)("that others may read is a problem, with the command that mends it", async () => {
    const folder = join(root, "open");
    await mkdir(folder, { mode: 0o700 });
    await chmod(folder, 0o750);
    const text = `${folder} may be read by others (mode 750); run: chmod 700 ${folder}`;
    expect(await folderFinding(folder)).toEqual({ name: "data folder", state: "problem", text });
  });

  it("with a key that is damaged, or open to others, has a problem", async () => {
    const key = join(root, "key");
    await writeFile(key, new Uint8Array(5), { mode: 0o600 });
    expect(await keyFinding(key)).toMatchObject({ state: "problem", text: expect.stringContaining("has 5 bytes") });
    if (isWindows) return;
    await chmod(key, 0o644);
    expect(await keyFinding(key)).toMatchObject({ state: "problem", text: expect.stringContaining("run: chmod 600") });
  });

  it("whose path leads through a file is a problem", async () => {
    const file = join(root, "file");
    await writeFile(file, "");
    expect(await folderFinding(join(file, "peer"))).toMatchObject({
      state: "problem",
      text: expect.stringContaining("a part of the path is a file"),
    });
  });
});

it("the machine is told in one line", () => {
  expect(machineFinding().text).toMatch(/^Node\.js \d+\.\d+\.\d+, \w+ \w+, \d+ processors, \d+\.\d GB of memory$/);
});
