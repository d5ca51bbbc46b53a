/** Every command prints with `--json` one document of the keys that the documents name, and one about what failed. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMANDS } from "./command-table.ts";
import { ERROR_KEYS, type JsonShape } from "./json.ts";
import { watchWeft } from "./process.suite.ts";
import { type Known, LINES, learnt, wordsOf, writeMaterial } from "./silence.suite.ts";

/** What a command printed on standard output, and its exit code. */
interface Printed {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let folder: string;
const printed = new Map<string, Printed>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "weft-json-"));
  for (const name of ["home", "files"]) mkdirSync(join(folder, name));
  writeMaterial(join(folder, "files"));
  const known: Known = new Map();
  for (const { words } of LINES) {
    const child = watchWeft([...wordsOf(words, known), "--json"], {
      cwd: join(folder, "files"),
      env: { HOME: join(folder, "home"), XDG_CACHE_HOME: "", XDG_DATA_HOME: "" },
    });
    const code = await child.ended;
    learnt(known, words, child.text.out + child.text.err, join(folder, "files"));
    printed.set(words, { code, ...child.text });
  }
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Keys of a document that no document names, and named ones that it lacks. */
function odd(document: object, shape: JsonShape): string[] {
  const [needed, maybe] = [true, false].map((isNeeded) =>
    Object.keys(shape).filter((key) => key.endsWith("?") !== isNeeded),
  ) as [string[], string[]];
  const there = Object.keys(document);
  const allowed = [...needed, ...maybe.map((key) => key.slice(0, -1))];
  if ("*" in shape) return [];
  return [
    ...there.filter((key) => !allowed.includes(key)).map((key) => `${key} is in no document`),
    ...needed.filter((key) => !there.includes(key)).map((key) => `${key} is missing`),
  ];
}

const rowOf = (words: string) =>
  COMMANDS.filter(({ name }) => `${words} `.startsWith(`${name.join(" ")} `)).reduce((a, b) =>
    b.name.length > a.name.length ? b : a,
  );

describe("weft … --json", () => {
  it.each(LINES)("weft $words --json prints one document", ({ words, code = 0 }) => {
    const { out, err, code: ended } = printed.get(words)!;
    expect([ended, err]).toEqual([code, expect.any(String)]);
    const document = JSON.parse(out) as Readonly<Record<string, object>>;
    if (document.error && Object.keys(document).length === 1) {
      expect(odd(document.error, ERROR_KEYS)).toEqual([]);
      expect(document.error).toMatchObject({ exitCode: code });
      expect(code).not.toBe(0);
    } else {
      expect(Array.isArray(document) ? [] : odd(document, rowOf(words).json ?? {})).toEqual([]);
    }
  });
});
