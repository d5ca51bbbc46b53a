/**
 * What is no file of the kind that a command reads, in its place: one line says what is wrong, the exit code of what kind that
 * is, `--json` has it as one document, and nothing is made.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { weft } from "./command.suite.ts";

let folder: string;
const at = (name: string): string => join(folder, name);

/** What stands in place of a file or a folder, by its name. */
const ODD = ["missing", "folder", "empty", "noise", "text", "json", "text/below"];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-wrong-"));
  mkdirSync(at("folder"));
  writeFileSync(at("empty"), "");
  writeFileSync(
    at("noise"),
    Uint8Array.from({ length: 3000 }, (_, i) => (i * 7919) % 251),
  );
  writeFileSync(at("text"), "hello world\n");
  writeFileSync(at("json"), '{"a":[1]}');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A command, what of ODD is wrong in place of IT, and what the line says. */
const COMMANDS_WITH_FILES: readonly (readonly [words: string, odd: readonly string[], says: RegExp])[] = [
  ["network show IT", ODD, /IT|no network manifest/],
  ["network verify IT", ODD, /IT|no network manifest/],
  ["network sign IT --data-dir folder", ODD, /IT|no network manifest/],
  ["network create --members IT --out new.json", ODD, /IT/],
  ["run --network IT --data-dir folder", ODD, /IT|no network manifest/],
  ["keys restore IT --data-dir new", ODD, /IT.*name a file that weft keys backup wrote|cannot use IT/],
  ["keys backup --data-dir IT --out new", ODD, /IT/],
  ["join --invite-file IT --data-dir new", ODD, /invite|IT/],
  ["config show --config IT", ODD.filter((name) => name !== "empty"), /IT/],
  ["status --data-dir IT", ODD, /IT/],
  ["report --data-dir IT", ODD, /IT/],
  ["members list --data-dir IT", ODD, /IT/],
  ["bugreport --data-dir IT", ODD.filter((name) => name !== "folder"), /IT/],
  ["egress verify --data-dir IT", ["empty", "text/below"], /IT/],
  ["init --data-dir IT", ["empty", "noise", "text/below"], /IT/],
  ["adapter inspect IT", ODD, /IT/],
  ["testnet status --dir IT", ODD, /IT/],
  ["testnet down --dir IT", ODD, /IT/],
];

it.each(COMMANDS_WITH_FILES)("weft %s", async (line, odd, says) => {
  const before = readdirSync(folder, { recursive: true }).sort();
  for (const name of odd) {
    const words = line.split(" ").map((word) => {
      if (word === "IT") return at(name);
      return word === "folder" || word.startsWith("new") ? at(word) : word;
    });
    const { code, out, err } = await weft([...words, "--json"], undefined, { WEFT_DATA_DIR: at("nobody") });
    const told = JSON.stringify({ words, code, out, err });
    expect([2, 3, 4, 5], told).toContain(code);
    const lines = err.trimEnd().split("\n");
    expect(
      lines.filter((one) => one.startsWith("weft: ")),
      told,
    ).toEqual([lines.at(-1)]);
    expect(lines.at(-1)?.replaceAll(at(name), "IT"), told).toMatch(says);
    expect(JSON.parse(out).error, told).toMatchObject({ exitCode: code });
  }
  expect(readdirSync(folder, { recursive: true }).sort()).toEqual(before);
});
