/** The README's commands are ones that weft takes, and what it points to is there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";
import { buildProgram } from "./program.ts";

const folder = packageFolder();
const readme = readFileSync(join(folder, "README.md"), "utf8");
const codeLines = [...readme.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = ""]) => block.trimEnd().split("\n"));

/** How a clone runs its own weft: without the flag, and outside a clone, npx would fetch the package `weft`, another program. */
const NPX = "npx --no-install weft ";

const SOMEBODY = "12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL";

describe("README", () => {
  it("begins with the two commands for a fresh clone", () => {
    expect(codeLines.slice(0, 2)).toEqual(["npm install && npm start", "npm install && npm test"]);
  });

  it.each(codeLines.filter((line) => line.startsWith(NPX)))("shows a command that parses: %s", async (line) => {
    let ran = false;
    const program = buildProgram({ out: () => undefined, err: () => undefined }, async () => {
      ran = true;
    });
    // ID stands for what `weft init` printed.
    const text = line.replaceAll("/p2p/ID", `/p2p/${SOMEBODY}`);
    const words = [...text.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
    await program.parseAsync(words.slice(3), { from: "user" });
    expect(ran).toBe(true);
  });

  it("has no command that could run another program of that name", () => {
    expect(codeLines.filter((line) => /\bweft\b/.test(line) && !line.startsWith(NPX))).toEqual([]);
  });

  it("links to files that are there", () => {
    const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
    expect(links.length).toBeGreaterThan(4);
    const files = links.filter((link) => !link.startsWith("https://"));
    for (const link of files) expect([link, existsSync(join(folder, link))]).toEqual([link, true]);
  });
});

describe("the README's program", () => {
  const [, shown = ""] = /```js\n(.*?)\n```/s.exec(readme) ?? [];

  // `npm run test:examples` runs it.
  it("is the example of that name, of 25 lines at most", () => {
    expect(`${shown}\n`).toBe(readFileSync(join(folder, "examples", "two-peers.mjs"), "utf8"));
    expect(shown.split("\n").length).toBeLessThanOrEqual(25);
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
