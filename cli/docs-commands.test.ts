/** Every command that a page shows is one that weft takes, and what OPERATIONS says that weft says, weft says. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";
import { buildProgram } from "./program.ts";

const root = packageFolder();
const PAGES = ["README.md", "CONTRIBUTING.md", ...globSync("docs/*.md", { cwd: root }), "docs/monitoring/README.md"];
const read = (page: string): string => readFileSync(join(root, page), "utf8");

/** The command lines of a page, continued lines joined, without what a shell would do with the output. */
function commandsOf(page: string): string[] {
  const blocks = [...read(page).matchAll(/```(?:sh|bash|console)\n(.*?)```/gs)].map(([, block = ""]) => block);
  const lines = blocks.flatMap((block) => block.replace(/\\\n\s*/g, " ").split("\n"));
  return lines.flatMap((line) => {
    const [, words] = /^(?:\$ )?(?:npx --no-install )?weft (.*?)(?: +#.*)?$/.exec(line) ?? [];
    return words === undefined ? [] : [words.split(/ (?:[|>&]|2>)/)[0]!.trim()];
  });
}

/** A peer for where a page leaves one open. */
const SOMEBODY = "12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL";

/** Words as a shell makes them of a line without variables. */
const wordsOf = (line: string): string[] =>
  [...line.replace("/p2p/ID", `/p2p/${SOMEBODY}`).matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );

describe.each(PAGES.filter((page) => commandsOf(page).length > 0))("%s", (page) => {
  it.each(commandsOf(page))("shows a command that parses: weft %s", async (line) => {
    let ran = false;
    const program = buildProgram({ out: () => undefined, err: () => undefined }, async () => {
      ran = true;
    });
    await program.parseAsync(wordsOf(line), { from: "user" });
    expect(ran).toBe(true);
  });
});

describe("docs/OPERATIONS.md", () => {
  const table = read("docs/OPERATIONS.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  const said = table.flatMap((row) => [...row.split(" | ")[0]!.matchAll(/`([^`]+)`/g)].map(([, words]) => words!));
  const sources = globSync(["node/**/*.ts", "cli/**/*.ts", "testnet/**/*.ts"], { cwd: root })
    .filter((file) => !/\.(test|suite)\.ts$/.test(file))
    .map(read)
    .join("\n");

  it("has a table of troubles", () => expect(said.length).toBeGreaterThan(10));
  it.each(said)("quotes what weft says: %s", (words) => expect(sources).toContain(words));
});
