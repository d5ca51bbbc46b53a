/** The results of trials: one line of JSON each, kept so that a trial goes on where it stopped, and tables of their means over the seeds. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { meanOf } from "./cell.ts";

/** What was tried, and what came out. */
type TrialLine = Readonly<Record<string, string | number>>;

/** A table: one row for each value of a field, one column for each of another, the mean of a score over the seeds in each cell. */
export interface TrialTable {
  readonly rows: string;
  readonly columns: string;
  readonly score: string;
  /** Written as a share in percent, and not with three decimals. */
  readonly isShare?: boolean;
}

/** The lines of a file, and of this run. */
export interface TrialLog {
  has(settings: TrialLine): boolean;
  /** Prints the line, and keeps it. */
  add(settings: TrialLine, scores: TrialLine): void;
  /** Markdown. Lines with other values than `settings` are left out; of fewer seeds than three the number is said. */
  table(shape: TrialTable, settings: TrialLine): string;
}

/** Lines are read from a file, where there is one, and appended to it; "" keeps them for this run. */
export function createTrialLog(file: string): TrialLog {
  const text = file !== "" && existsSync(file) ? readFileSync(file, "utf8") : "";
  const lines = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as TrialLine);
  return {
    has: (settings) => lines.some((line) => agrees(line, settings)),
    add: (settings, scores) => {
      const line = { ...settings, ...scores };
      lines.push(line);
      process.stdout.write(`${JSON.stringify(line)}\n`);
      if (file !== "") appendFileSync(file, `${JSON.stringify(line)}\n`);
    },
    table: (shape, settings) =>
      tableOf(
        lines.filter((line) => agrees(line, settings)),
        shape,
      ),
  };
}

const agrees = (line: TrialLine, settings: TrialLine): boolean =>
  Object.entries(settings).every(([name, value]) => line[name] === value);

function tableOf(lines: readonly TrialLine[], { rows, columns, score, isShare = false }: TrialTable): string {
  const names = (field: string): readonly string[] => [...new Set(lines.map((line) => String(line[field])))];
  const heads = names(columns);
  const cell = (row: string, column: string): string => {
    const scores = lines
      .filter((line) => String(line[rows]) === row && String(line[columns]) === column)
      .map((line) => Number(line[score]));
    if (scores.length === 0) return "–";
    const mean = meanOf(scores);
    const value = isShare ? `${(100 * mean).toFixed(1)} %` : mean.toFixed(3);
    return scores.length < 3 ? `${value} (seeds: ${scores.length})` : value;
  };
  return [
    `| ${score} | ${heads.join(" | ")} |`,
    `|---|${"---:|".repeat(heads.length)}`,
    ...names(rows).map((row) => `| ${row} | ${heads.map((column) => cell(row, column)).join(" | ")} |`),
    "",
  ].join("\n");
}
