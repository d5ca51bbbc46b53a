import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "./command-table.ts";
import { docsPage } from "./docs-page.ts";
import { packageFolder } from "./package-folder.ts";
import { buildProgram } from "./program.ts";

describe("docs/CLI.md", () => {
  it("is what the command table says (npm run docs writes it)", () => {
    expect(readFileSync(join(packageFolder(), "docs", "CLI.md"), "utf8")).toBe(docsPage());
  });

  it("names flags in their long form only", () => {
    for (const { flags } of COMMANDS.flatMap(({ options }) => options))
      expect(flags).toMatch(/^--[a-z][a-z-]*( <[^>]+>)?$/);
  });

  it("gives examples that the parser takes", async () => {
    for (const row of COMMANDS) {
      let chosen: unknown;
      const program = buildProgram({ out: () => undefined, err: () => undefined }, async (found) => {
        chosen = found;
      });
      const [command, ...words] = row.example.split(" ");
      await program.parseAsync(words, { from: "user" });
      expect([command, chosen]).toEqual(["weft", row]);
    }
  });
});
