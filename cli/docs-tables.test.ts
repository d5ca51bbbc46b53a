import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PAGES_WITH_TABLES, TABLE_NAMES, withTables } from "./docs-tables.ts";
import { packageFolder } from "./package-folder.ts";

const pages = PAGES_WITH_TABLES.map((path) => [path, readFileSync(join(packageFolder(), path), "utf8")] as const);

it.each(pages)("the tables of %s are what the descriptors say (npm run docs writes them)", (_, page) => {
  expect(withTables(page)).toBe(page);
});

it("every table is in a page", () => {
  const used = pages.flatMap(([, page]) =>
    [...page.matchAll(/<!-- npm run docs writes: (.+?) -->/g)].map(([, name]) => name),
  );
  expect(used.sort()).toEqual([...TABLE_NAMES].sort());
});

it("a marker that names no table is an error", () => {
  expect(() => withTables("<!-- npm run docs writes: nothing -->\n<!-- end -->\n")).toThrow(
    "no table is called nothing",
  );
});
