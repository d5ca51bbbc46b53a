/** How often each decoder was run so far, over all runs with `--keep`, and the table of that in docs/FUZZING.md. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Executions of one target, led by coverage and without. */
export interface Executions {
  readonly guided: number;
  readonly blind: number;
}

/** By the target's name. */
export type Tally = Readonly<Record<string, Executions>>;

const FILE = join(import.meta.dirname, "executions.json");
/** As many as a target is to have. */
const AIM = 10_000_000;

/** All runs so far. */
export function readTally(): Tally {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : {};
}

/** Count one more run of a target. */
export function addToTally(name: string, kind: keyof Executions, executions: number): void {
  const tally = readTally();
  const before = tally[name] ?? { guided: 0, blind: 0 };
  const after = { ...tally, [name]: { ...before, [kind]: before[kind] + executions } };
  writeFileSync(FILE, `${JSON.stringify(after, null, 1)}\n`);
}

/** The table, with the share of the aim that each target reached. */
export function tallyTable(tally: Tally): string {
  const rows = Object.entries(tally).map(([name, { guided, blind }]) => {
    const share = Math.floor((100 * (guided + blind)) / AIM);
    return `| \`${name}\` | ${number(guided)} | ${number(blind)} | ${share < 1 ? "less than 1" : share} % |`;
  });
  const all = Object.values(tally).reduce((sum, { guided, blind }) => sum + guided + blind, 0);
  return [
    "| target | led by coverage | without | of ten million |",
    "|---|---|---|---|",
    ...rows,
    "",
    `${number(all)} executions in all.`,
  ].join("\n");
}

const number = (count: number): string => count.toLocaleString("en-US");
