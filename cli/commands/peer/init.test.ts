/** What `weft init` does with a directory that is there already. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { weft } from "../../command.suite.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-init-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (...names: string[]): string => join(folder, ...names);

describe("weft init", () => {
  it.each([
    ["data version 99\n", "they have version 99"],
    // The repository of another program.
    ["16\n", 'its file "version" names none'],
  ])("touches nothing where the files are of another version: %j", async (version, why) => {
    mkdirSync(at("there"), { mode: 0o700 });
    writeFileSync(at("there", "version"), version);
    const words = ["init", "--data-dir", at("there"), "--port", "9000"];
    for (const line of [words, ["keys", "restore", at("backup"), "--data-dir", at("there")]]) {
      writeFileSync(at("backup"), "anything");
      const { code, err } = await weft(line);
      expect(code).toBe(2);
      expect(err).toContain(why);
    }
    expect(readdirSync(at("there"))).toEqual(["version"]);
  });

  it("says the version of the files that it makes", async () => {
    expect(await weft(["init", "--data-dir", at("new")])).toMatchObject({ code: 0 });
    expect(readFileSync(at("new", "version"), "utf8")).toBe("data version 1\n");
  });

  it("names the next command as a shell takes it, whatever the folder is called", async () => {
    const { err } = await weft(["init", "--data-dir", at("müll, it's")]);
    expect(err).toContain(`next: weft run --network FILE --data-dir '${at("müll, it")}'\\''s'`);
  });

  it("keeps the flags that were kept before, beside the new ones", async () => {
    const first = await weft(["init", "--data-dir", at("alice"), "--port", "9000"]);
    const second = await weft(["init", "--data-dir", at("alice"), "--part", "1/2"]);
    expect(second.out).toBe(first.out);
    expect(readFileSync(at("alice", "config.toml"), "utf8")).toMatch(/^port = 9000\n[\s\S]*^part = "1\/2"$/m);
  });

  it("says which files and folders that flags name are not there", async () => {
    writeFileSync(at("rows.jsonl"), "");
    const flags = ["--data", at("rows.jsonl"), "--model", at("none")];
    const { code, err } = await weft(["init", "--data-dir", at("alice"), ...flags]);
    expect([code, err]).toEqual([0, expect.stringContaining(`there is no ${at("none")} yet; weft run will need it\n`)]);
    expect(err).not.toContain("rows.jsonl yet");
    expect((await weft(["init", "--data-dir", at("bob"), "--data", "embedded"])).err).not.toContain("there is no");
  });

  it("makes no key where the file of flags cannot be read", async () => {
    mkdirSync(at("odd"), { mode: 0o700 });
    writeFileSync(at("odd", "config.toml"), "port =\n");
    expect(await weft(["init", "--data-dir", at("odd"), "--port", "9000"])).toMatchObject({ code: 2, out: "" });
    expect(existsSync(at("odd", "key"))).toBe(false);
  });
});
