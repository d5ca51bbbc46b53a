/** The package is what its tree says: packed twice, in two folders and at two times, it is the same to the byte. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";

const repository = dirname(import.meta.dirname);
const folder = mkdtempSync(join(tmpdir(), "weft-pack-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the tree as it is, in a folder of its own. */
function copyTree(name: string): string {
  const copy = join(folder, name);
  const listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const files = execFileSync("git", listed, { cwd: repository, encoding: "utf8" }).split("\0").filter(Boolean);
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(repository, file), join(copy, file));
  }
  symlinkSync(join(repository, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** Pack a tree as a release does.  Returns the files in it with their digests, and the archive's own. */
function pack(copy: string): { readonly archive: string; readonly files: readonly string[] } {
  const out = join(copy, "..", `${copy.split("/").at(-1)}-packed`);
  mkdirSync(out);
  execFileSync("npm", ["pack", "--silent", "--pack-destination", out], {
    cwd: copy,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [archive] = readdirSync(out).map((name) => join(out, name));
  const listed = execFileSync("tar", ["-tzf", archive!], { encoding: "utf8" });
  return { archive: archive!, files: listed.trim().split("\n") };
}

test("two packs of one tree are equal to the byte, with the bill of materials in them and no tests", () => {
  const [first, second] = [copyTree("one"), copyTree("a folder with another name")];
  for (const path of ["package.json", "cli/weft.js", "node/index.ts"]) utimesSync(join(second, path), 1, 1);
  const [one, two] = [pack(first), pack(second)];
  const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
  expect(two.files).toEqual(one.files);
  expect(digest(two.archive)).toBe(digest(one.archive));
  expect(one.files).toEqual(
    expect.arrayContaining(["package/dist/sbom.cdx.json", "package/cli/weft.js", "package/LICENSE"]),
  );
  expect(one.files.filter((path) => /\.(test|suite)\.|node_modules|measured\.json/.test(path))).toEqual([]);
});
