import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
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

const pages = "/sys/kernel/mm/transparent_hugepage/enabled";
const givesLargePages =
  existsSync(pages) && readFileSync(pages, "utf8").includes("[madvise]") && typeof process.execve === "function";
if (!givesLargePages)
  console.log("the test of large pages is skipped: this machine gives them to everybody or to nobody");

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

  it.runIf(givesLargePages)(
    "begins a long command once more in its own place, with large pages, and no other one",
    () => {
      const look = "data:text/javascript,console.log(process.pid, process.env.GLIBC_TUNABLES)";
      const { GLIBC_TUNABLES: _, ...env } = process.env;
      const begun = (words: readonly string[], more = {}) =>
        execFileSync(process.execPath, ["--import", look, command, ...words], {
          encoding: "utf8",
          env: { ...env, ...more },
        })
          .split("\n")
          .slice(0, 2)
          .map((line) => line.split(" "));
      const [before, after] = begun(["train", "--help"]);
      expect([before![1], after![1]]).toEqual(["undefined", "glibc.malloc.hugetlb=1"]);
      expect(after![0]).toBe(before![0]);
      expect(begun(["version"])[1]![1]).not.toBe("glibc.malloc.hugetlb=1");
      expect(begun(["train", "--help"], { GLIBC_TUNABLES: "glibc.malloc.check=0" })[1]![0]).toBe("Usage:");
    },
  );

  it.skipIf(oldNode === undefined)("finds a newer Node.js in node_modules when started by an old one", () => {
    expect(weft(oldNode!, ["--version"])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d/) });
    expect(weft(oldNode!, ["--nope"]).status).toBe(2);
  });
});
