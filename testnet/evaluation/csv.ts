/** The rows as comma-separated values, for programs.  Source: RFC 4180. */
import { SEEDS_MIN } from "./paired.ts";
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
/** Empty where there is nothing to compare with; the half of an interval also below three seeds. */
const COMPARED: Readonly<Record<string, (row: Row) => number | undefined>> = {
  gain: ({ gain }) => gain?.mean,
  gainHalfInterval: ({ gain }) => gain?.half,
  way: ({ way }) => way,
  lossWay: ({ lossWay }) => lossWay,
};
const COUNTS = ["trainedParameters", "sentParameters", "updateBytes", "bytesPerRound"] as const;

/** Shares from 0 to 1, losses in nats, seconds of the processor; what is no number is left empty. */
export function csvOf(rows: readonly Row[]): string {
  const header = [
    ...TEXTS,
    ...STATISTICS.flatMap((name) => [name, `${name}Deviation`]),
    ...COUNTS,
    ...Object.keys(COMPARED),
  ];
  const lines = rows.map((row) => [
    ...TEXTS.map((name) => String(row[name])),
    ...STATISTICS.flatMap((name) => {
      const { mean, deviation, count }: Statistic = row[name];
      return [numberOf(mean), count < SEEDS_MIN ? "" : numberOf(deviation)];
    }),
    ...COUNTS.map((name) => String(row[name])),
    ...Object.values(COMPARED).map((of) => numberOf(of(row) ?? Number.NaN)),
  ]);
  return `${[header, ...lines].map((cells) => cells.map(quoted).join(",")).join("\r\n")}\r\n`;
}

const numberOf = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "");

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
