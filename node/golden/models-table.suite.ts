/**
 * The table of docs/MODELS.md: which golden directories each family was held to, of which version of the original, and how
 * close. The tests that compare measure it; WEFT_WRITE_MODELS=1 WEFT_ALL_GOLDENS=1 writes it anew.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The largest differences of one directory, relative to the largest value of each tensor, or to the loss. */
export interface Closeness {
  logits: number;
  losses: number;
  gradients: number;
}

/** A directory and what was measured. */
export interface MeasuredGolden {
  readonly name: string;
  readonly directory: string;
  readonly family: string;
  readonly closeness: Closeness;
}

const PAGE = join(import.meta.dirname, "../../docs/MODELS.md");
const MARKERS = ["<!-- a test run writes: goldens -->", "<!-- end -->"] as const;
const COLUMNS = ["logits", "losses", "gradients"] as const;

/** Other processors round otherwise: what a page promises may be off by this much there. */
const MACHINES_DIFFER = 10;

/** Bring the page's table up to date.  measured: all directories.  Throws: where some are left out. */
export function writeModelsTable(measured: readonly MeasuredGolden[]): void {
  if (!process.env.WEFT_ALL_GOLDENS) throw new Error("set WEFT_ALL_GOLDENS=1 too: the table is of all directories");
  const text = readFileSync(PAGE, "utf8");
  const [before, rest] = text.split(MARKERS[0]) as [string, string];
  const rows = measured
    .toSorted((a, b) => a.family.localeCompare(b.family) || a.name.localeCompare(b.name))
    .map(({ name, directory, family, closeness }) => {
      const cells = COLUMNS.map((column) => bound(closeness[column]));
      return `| \`${family}\` | \`${name}\` | ${versionOf(directory)} | ${cells.join(" | ")} |`;
    });
  const head = "| family | directory | original | logits | losses | gradients |\n|---|---|---|---|---|---|";
  const after = rest.slice(rest.indexOf(MARKERS[1]));
  writeFileSync(PAGE, `${before}${MARKERS[0]}\n\n${head}\n${rows.join("\n")}\n\n${after}`);
}

/** What the page says wrongly of the directories, one line each; empty where it holds. */
export function modelsTableFaults(measured: readonly MeasuredGolden[]): readonly string[] {
  const rows = new Map(
    [...readFileSync(PAGE, "utf8").matchAll(/^\| `([^`]+)` \| `([^`]+)` \| ([^|]+) \| (.+) \|$/gm)].map(
      ([, family, name, version, cells]) => [name!, { family, version, cells: cells!.split(" | ").map(Number) }],
    ),
  );
  const faults = measured.flatMap(({ name, directory, family, closeness }) => {
    const row = rows.get(name);
    rows.delete(name);
    if (row?.family !== family || row.version !== versionOf(directory)) return [`${name} has no row of its own`];
    return COLUMNS.filter((column, i) => !(closeness[column] <= MACHINES_DIFFER * row.cells[i]!)).map(
      (column) => `${name}: ${column} are ${closeness[column]} away`,
    );
  });
  const gone = [...rows.keys()].filter((name) => !existsSync(join(import.meta.dirname, name, "golden.json")));
  return [...faults, ...gone.map((name) => `${name} is no directory`)];
}

const versionOf = (directory: string): string => {
  const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  return `transformers ${config.transformers_version}`;
};

/** The next of 1, 2 and 5 times a power of ten. */
function bound(value: number): string {
  const power = Math.floor(Math.log10(Math.max(value, 1e-8)));
  const step = [1, 2, 5, 10].find((candidate) => value <= candidate * 10 ** power) ?? 10;
  return step === 10 ? `1e${power + 1}` : `${step}e${power}`;
}
