/** The README's commands are ones that weft takes, and what it points to is there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";
import { buildProgram } from "./program.ts";

const folder = packageFolder();
const readme = readFileSync(join(folder, "README.md"), "utf8");
const codeLines = [...readme.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = ""]) => block.trimEnd().split("\n"));

const SOMEBODY = "12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL";

describe("README", () => {
  it("begins with the two commands for a fresh clone", () => {
    expect(codeLines.slice(0, 2)).toEqual(["npm install && npm start", "npm install && npm test"]);
  });

  it.each(codeLines.filter((line) => line.startsWith("npx weft ")))("shows a command that parses: %s", async (line) => {
    let ran = false;
    const program = buildProgram({ out: () => undefined, err: () => undefined }, async () => {
      ran = true;
    });
    // ID stands for what `weft init` printed.
    const words = line.replaceAll("/p2p/ID", `/p2p/${SOMEBODY}`).split(" ");
    await program.parseAsync(words.slice(2), { from: "user" });
    expect(ran).toBe(true);
  });

  it("links to files that are there", () => {
    const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
    expect(links.length).toBeGreaterThan(4);
    for (const link of links) expect([link, existsSync(join(folder, link))]).toEqual([link, true]);
  });
});

describe("docs/decisions/0001-dependencies.md", () => {
  it("has a reason for every dependency, and for no other", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const record = readFileSync(join(folder, "docs", "decisions", "0001-dependencies.md"), "utf8");
    const tables = record.split("\n").filter((line) => line.startsWith("| `"));
    const explained = tables.flatMap((line) =>
      [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    );
    expect(explained.sort()).toEqual([...Object.keys(dependencies), ...Object.keys(devDependencies)].sort());
  });
});
