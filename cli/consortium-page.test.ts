/** docs/CONSORTIUM.md has a command for each step; docs-commands.test.ts holds that weft takes them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";

const docs = join(packageFolder(), "docs");
const page = readFileSync(join(docs, "CONSORTIUM.md"), "utf8");
const commands = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = ""]) => block.trimEnd().split("\n"));

describe("docs/CONSORTIUM.md", () => {
  it("tells the whole story", () => {
    const told = new Set(commands.map((line) => line.split(" ").slice(1, 3).join(" ")));
    for (const step of ["network create", "network sign", "network invite", "members pending", "members revoke"]) {
      expect(told).toContain(step);
    }
  });
});
