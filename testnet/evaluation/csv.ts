/** The rows as comma-separated values, for programs.  Source: RFC 4180. */
import type { Row, Statistic } from "./summary-rows.ts";

const TEXTS = ["suite", "split", "peers", "attack", "method", "seeds", "learningRate"] as const;
const STATISTICS = [
  "own",
  "others",
  "worst",
  "ownLoss",
  "psiOwn",
  "psiOthers",
  "lambda",
  "lastQuarter",
  "seconds",
] as const satisfies readonly (keyof Row)[];
const COUNTS = ["trainedParameters", "sentParameters", "updateBytes", "bytesPerRound"] as const;

/** Shares from 0 to 1, losses in nats, seconds of the processor; what is no number is left empty. */
export function csvOf(rows: readonly Row[]): string {
  const header = [...TEXTS, ...STATISTICS.flatMap((name) => [name, `${name}Deviation`]), ...COUNTS];
  const lines = rows.map((row) => [
    ...TEXTS.map((name) => String(row[name])),
    ...STATISTICS.flatMap((name) => {
      const { mean, deviation }: Statistic = row[name];
      return [numberOf(mean), numberOf(deviation)];
    }),
    ...COUNTS.map((name) => String(row[name])),
  ]);
  return `${[header, ...lines].map((cells) => cells.map(quoted).join(",")).join("\r\n")}\r\n`;
}

const numberOf = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "");

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
