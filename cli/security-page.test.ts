/** Every promise of docs/SECURITY.md names tests that are there, by file and title. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";

const read = (path: string): string => readFileSync(join(packageFolder(), path), "utf8");
const page = read("docs/SECURITY.md");
const isInPackage = (path: string): boolean => existsSync(join(packageFolder(), path));

/** attacker, what holds, by which mechanism, shown by */
const rows = page
  .split("\n")
  .filter((line) => /^\| (?!attacker|-)/.test(line))
  .map((line) => line.slice(2, -2).split(" | "));

/** One file with the titles of its tests; a cell is one or more of these. */
const SHOWN = /`([\w./-]+\.(?:test|suite)\.ts)`: (“[^”]+”(?:, “[^”]+”)*)/;
const CELL = new RegExp(`^${SHOWN.source}(?:; ${SHOWN.source})*$`);

/** The literal titles of the tests and groups of a file. */
function titlesOf(file: string): ReadonlySet<string> {
  const calls = /(?:\b(?:it|test|describe)|\)|\b(?:each|skipIf)\b[^"]*?\))\(\s*("(?:[^"\\]|\\.)*")/g;
  return new Set([...read(file).matchAll(calls)].map(([, title]) => JSON.parse(title!) as string));
}

describe("docs/SECURITY.md", () => {
  it("has a promise for every attacker of its second part", () => {
    const attackers = new Set(rows.map(([attacker]) => attacker));
    for (const one of ["outsider", "curious member", "malicious member", "minority of admins", "stolen key"])
      expect(attackers).toContain(one);
    expect(attackers).toContain("network attacker");
    expect(rows.length).toBeGreaterThan(25);
  });

  it.each(rows)("%s %s: shown by tests that are there", (...row) => {
    expect(row).toHaveLength(4);
    const shown = row[3]!;
    expect(shown).toMatch(CELL);
    for (const [, file = "", titles = ""] of shown.matchAll(new RegExp(SHOWN, "g"))) {
      expect([file, isInPackage(file)]).toEqual([file, true]);
      const there = titlesOf(file);
      for (const [, title] of titles.matchAll(/“([^”]+)”/g)) expect([...there], file).toContain(title);
    }
  });

  it("names no other file or script that is not there", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const [, script] of page.matchAll(/`npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(script);
    for (const [, file = ""] of page.matchAll(/`([\w./-]+\.(?:ts|json))`/g))
      expect([file, isInPackage(file)]).toEqual([file, true]);
  });
});
