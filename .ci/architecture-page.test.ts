/** docs/ARCHITECTURE.md against the code: a row for each folder, and the way of `weft run` through the files. */
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

const repository = dirname(import.meta.dirname);
const page = readFileSync(join(repository, "docs", "ARCHITECTURE.md"), "utf8");

/** The text between a heading and the next one of its level. */
function section(heading: string): string {
  const [, text] = page.split(`## ${heading}\n`);
  return text?.split("\n## ")[0] ?? "";
}

/** The files that a file imports, statically or dynamically, from the root of the repository. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(repository, path), "utf8");
  const named = [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, file]) =>
    relative(repository, join(repository, dirname(path), file!)),
  );
  // The start script chooses between the source and the compiled file, and joins their names.
  const joined = [...text.matchAll(/join\(packageFolder, "([^"]+)", "([^"]+)"\)/g)].map(([, a, b]) => `${a}/${b}`);
  return [...named, ...joined];
}

describe("rooms", () => {
  const rows = [...section("Rooms").matchAll(/^\| `([^`]+)\/` \|/gm)].map(([, folder]) => folder!);

  it("has a row for each folder with source in it, and for none that is gone", () => {
    const sources = globSync(["{protocol,node,testnet,cli}/**/*.{ts,js}", "examples/*", ".ci/*.ts"], {
      cwd: repository,
    });
    const folders = sources.map((path) => dirname(path).split("/").slice(0, 2).join("/"));
    expect([...rows].sort()).toEqual([...new Set(folders)].sort());
  });

  it("begins at files that are there", () => {
    for (const line of section("Rooms").split("\n")) {
      const [, folder, , begin = ""] = /^\| `([^`]+)\/` \|(.*)\|([^|]*)\|$/.exec(line) ?? [];
      for (const [, file] of begin.matchAll(/(?<!\[)`([^`]+)`/g)) {
        expect([line, existsSync(join(repository, folder!, file!))]).toEqual([line, true]);
      }
    }
  });
});

describe("from weft run to a running peer", () => {
  const steps: { readonly file: string; readonly beside: string[] }[] = [];
  for (const line of section("From `weft run` to a running peer").split("\n")) {
    const [, mark, file] = /^(\d+\.| {3}\*) `([^`]+)`/.exec(line) ?? [];
    if (file === undefined) continue;
    if (mark!.endsWith(".")) steps.push({ file, beside: [] });
    else steps.at(-1)!.beside.push(file);
  }

  it("passes at most 20 files", () => {
    const files = steps.flatMap(({ file, beside }) => [file, ...beside]);
    expect(steps.length).toBeGreaterThan(10);
    expect(files.length).toBeLessThanOrEqual(20);
    expect(new Set(files).size).toBe(files.length);
    for (const file of files) expect([file, statSync(join(repository, file)).isFile()]).toEqual([file, true]);
  });

  it.each(
    steps.map(({ file, beside }, i) => [file, [...beside, ...steps.slice(i + 1, i + 2).map((next) => next.file)]]),
  )("%s imports what follows it", (file, following) => {
    expect(importsOf(file as string)).toEqual(expect.arrayContaining(following as string[]));
  });
});
