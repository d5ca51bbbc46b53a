/** A key is sealed, and becomes the same peer again elsewhere. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sealKey } from "../../node/system/files/key-backup.ts";
import { weft } from "../command.suite.ts";

const PASSPHRASE = "correct horse battery staple";
let folder: string;
let peer: string;
const at = (name: string): string => join(folder, name);
const words = (...more: readonly string[]) => ["keys", ...more];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-keys-"));
  peer = (await weft(["init", "--data-dir", at("alice")])).out.trim();
  await writeFile(at("passphrase"), PASSPHRASE, { mode: 0o600 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const backup = (...more: readonly string[]) =>
  weft(
    words("backup", "--data-dir", at("alice"), "--out", at("backup"), "--passphrase-file", at("passphrase"), ...more),
  );

describe("weft keys", () => {
  it("backs a key up and restores it as the same peer", async () => {
    const made = await backup("--json");
    expect(JSON.parse(made.out)).toEqual({ peer, file: at("backup") });
    if (process.platform !== "win32") expect((await stat(at("backup"))).mode & 0o777).toBe(0o600);
    const restored = await weft(words("restore", at("backup"), "--data-dir", at("again")), [PASSPHRASE]);
    expect(restored).toMatchObject({ code: 0, out: `${peer}\n`, err: expect.stringContaining("runs nowhere else") });
    expect(await readFile(at("again/key"))).toEqual(await readFile(at("alice/key")));
    if (process.platform !== "win32") expect((await stat(at("again/key"))).mode & 0o777).toBe(0o600);
    expect((await weft(["init", "--data-dir", at("again")])).out.trim()).toBe(peer);
  });

  it("asks twice for a new passphrase, and nobody where there is no terminal", async () => {
    const ask = words("backup", "--data-dir", at("alice"), "--out", at("asked"));
    expect(await weft(ask, [PASSPHRASE, "something else entirely"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("not the same"),
    });
    expect((await weft(ask, [PASSPHRASE, PASSPHRASE])).code).toBe(0);
    expect(await weft(ask.with(-1, at("silent")))).toMatchObject({
      code: 2,
      err: expect.stringContaining("give --passphrase-file"),
    });
  });

  it.each<[string, () => Promise<readonly string[]>, string]>([
    [
      "a backup over a file",
      async () => words("backup", "--data-dir", at("alice"), "--out", at("passphrase")),
      "exists",
    ],
    ["a backup of nobody", async () => words("backup", "--data-dir", at("nobody")), "has no key"],
    [
      "a restore over a key",
      async () => words("restore", at("backup"), "--data-dir", at("alice")),
      "has a key already",
    ],
    [
      "what is not there",
      async () => words("restore", at("nothing"), "--data-dir", at("new")),
      "there is no backup file",
    ],
    ["what is no backup", async () => words("restore", at("passphrase"), "--data-dir", at("new")), "not JSON"],
    [
      "a passphrase that others may read",
      async () => {
        await chmod(at("passphrase"), 0o644);
        return words("restore", at("backup"), "--data-dir", at("new"), "--passphrase-file", at("passphrase"));
      },
      "may be read by others",
    ],
  ])("refuses %s in one line", async (_, prepare, reason) => {
    await backup();
    const refused = await weft(await prepare());
    expect(refused).toMatchObject({ code: 2, out: "", err: expect.stringContaining(reason) });
    expect(refused.err.trim().split("\n")).toHaveLength(1);
  });

  it("says of what is no backup which file is one, and of a wrong passphrase that it is wrong", async () => {
    // Cheap to open: what is tested is what is said.
    await writeFile(at("backup"), sealKey(new Uint8Array(32).fill(1), PASSPHRASE, { n: 16, r: 8, p: 1 }));
    const restore = async (file: string, passphrase = PASSPHRASE) =>
      (await weft(words("restore", file, "--data-dir", at("new")), [passphrase])).err;
    const wrote = /^weft: .*; name a file that weft keys backup wrote\n$/;
    for (const text of ["", "{}", "[1]", '{"schema":"weft-status/1"}', "\u0000\u0001"]) {
      await writeFile(at("other"), text);
      expect(await restore(at("other"))).toMatch(wrote);
    }
    expect(await restore(at("other"))).toContain(`${at("other")}: no backup of a key`);
    for (const file of [at("nothing"), "/dev/zero"]) expect(await restore(file)).toMatch(wrote);
    expect(await restore(folder)).toContain("a folder is in the place of a file");
    expect(await restore(at("alice/key"))).toContain("which is copied as it is");
    const wrong = await restore(at("backup"), "another passphrase");
    expect(wrong).toMatch(/; type the passphrase again, or take another copy/);
    expect(await restore(at("backup"), "short")).toMatch(/; give --passphrase-file a file with the passphrase alone/);
    const endless = words("restore", at("backup"), "--data-dir", at("new"), "--passphrase-file", "/dev/zero");
    expect((await weft(endless)).err).toContain("/dev/zero is too long to hold a passphrase");
  });
});
