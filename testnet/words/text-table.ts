/** Columns of text: headings, rows, numbers to the right. */
import { visibleLine } from "../../node/index.ts";

/** One column. */
export interface Column {
  readonly heading: string;
  /** Right-aligned when true. */
  readonly numeric: boolean;
}

/** Lines of a table, without line ends; as wide as its widest cells. */
export function textTable(columns: readonly Column[], cells: readonly (readonly string[])[]): string[] {
  // Names in cells may be of others: a line end in one would make a row of its own.
  const rows = cells.map((row) => row.map(visibleLine));
  const widths = columns.map(({ heading }, i) => Math.max(heading.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (row: readonly string[]): string =>
    columns
      .map(({ numeric }, i) => (numeric ? (row[i] ?? "").padStart(widths[i]!) : (row[i] ?? "").padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [
    line(columns.map(({ heading }) => heading)),
    line(widths.map((width) => "─".repeat(width))),
    ...rows.map(line),
  ];
}

/** Bytes with a unit: `812 B`, `12.3 kB`, `4.56 MB`; powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** A share as percent with one decimal: `61.3 %`. */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A loss in nats with three decimals; a dash when there is none (JSON has no NaN, so null may stand for one). */
export function formatLoss(loss: number | undefined): string {
  return loss !== undefined && Number.isFinite(loss) ? loss.toFixed(3) : "–";
}

/** Seconds with one decimal: `12.3 s`. */
export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}
