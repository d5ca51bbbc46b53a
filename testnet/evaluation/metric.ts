/** The one number that the methods of a suite are ranked by. */
import type { PeerScores } from "./jury.ts";
import type { DATA_KINDS } from "./table.ts";

/** A number by which methods are ranked, and how it is written. */
export interface Metric {
  readonly name: string;
  /** Whether more is better; of a loss, less is. */
  readonly rises: boolean;
  /** Shares are printed in percent. */
  readonly unit: "share" | "nats";
  of(scores: PeerScores): number;
  /** The metric of a look between rounds, where nothing is asked or generated. */
  lookedAt(scores: PeerScores): number;
  /** Differences below this do not count: 1 point of accuracy or 0.01 nats. */
  readonly tolerance: number;
}

const exact: Metric = {
  name: "answers wholly right",
  rises: true,
  unit: "share",
  of: ({ exactMatch }) => exactMatch,
  lookedAt: ({ exactMatch }) => exactMatch,
  tolerance: 0.01,
};
const loss: Metric = {
  name: "nats per token",
  rises: false,
  unit: "nats",
  of: (scores) => scores.loss,
  lookedAt: (scores) => scores.loss,
  tolerance: 0.01,
};
/** By the data's own way of scoring; between rounds by the likelihood of the right answer. */
const right = (name: string): Metric => ({ ...exact, name, of: ({ right }) => right ?? Number.NaN });

/** The metric of each sort of data. */
export const METRICS: Readonly<Record<(typeof DATA_KINDS)[number], Metric>> = {
  tasks: exact,
  speakers: loss,
  intents: right("intents named rightly"),
  commonsense: right("answers extracted and right"),
  gsm8k: right("final numbers right"),
};

/** psi: the best metric at any look so far less that of the last one; of a loss, the last less the least. Never negative. */
export function forgetting(curve: readonly PeerScores[], metric: Metric): number {
  const values = curve.map(metric.lookedAt);
  const last = values.at(-1)!;
  return metric.rises ? Math.max(...values) - last : last - Math.min(...values);
}
