import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, it } from "vitest";

const command = join(import.meta.dirname, "weft.js");

/** A Node.js on this machine that is too old to run the source as it is. */
const oldNode = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .map((folder) => join(folder, "node"))
  .filter((path) => existsSync(path))
  .find((path) => Number(/^v(\d+)/.exec(execFileSync(path, ["--version"], { encoding: "utf8" }))?.[1]) < 22);

if (oldNode === undefined) console.log("tests of weft on an old Node.js are skipped: there is none on the PATH");

const weft = (node: string, words: readonly string[]) => spawnSync(node, [command, ...words], { encoding: "utf8" });

describe("the weft command", () => {
  it("runs the source of a checkout and passes on its exit code", () => {
    expect(weft(process.execPath, ["--version"])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d/) });
    expect(weft(process.execPath, ["--nope"])).toMatchObject({
      status: 2,
      stdout: "",
      stderr: "weft: unknown option '--nope'; see weft --help\n",
    });
  });

  it.skipIf(oldNode === undefined)("finds a newer Node.js in node_modules when started by an old one", () => {
    expect(weft(oldNode!, ["--version"])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d/) });
    expect(weft(oldNode!, ["--nope"]).status).toBe(2);
  });
});
