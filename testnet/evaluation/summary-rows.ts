/** Rows over the cells of a suite: one for each method, division, number of peers and attack, over the seeds. */
import { type Cell, type CellResult, deviationOf, lastQuarterGain, meanOf } from "./cell.ts";
import { METRICS, type Metric } from "./metric.ts";
import type { SuiteResults } from "./run-table.ts";
import { splitName } from "./split.ts";

/** Over the seeds. */
export interface Statistic {
  readonly mean: number;
  /** Standard deviation of the sample; 0 for one seed. */
  readonly deviation: number;
}

/** One line of the evaluation's tables. */
export interface Row {
  readonly suite: string;
  readonly split: string;
  readonly peers: number;
  readonly attack: string;
  readonly method: string;
  readonly title: string;
  readonly seeds: number;
  readonly learningRate: number;
  /** Means over the peers. */
  readonly own: Statistic;
  readonly others: Statistic;
  /** The score of the peer that has the worst one. */
  readonly worst: Statistic;
  readonly ownLoss: Statistic;
  readonly psiOwn: Statistic;
  readonly psiOthers: Statistic;
  readonly lambda: Statistic;
  /** By how much the metric still got better in the last quarter of the rounds. */
  readonly lastQuarter: Statistic;
  readonly trainedParameters: number;
  readonly sentParameters: number;
  /** The bytes that one peer sends in a round: its update, once for each peer that hears it. */
  readonly bytesPerRound: number;
  readonly updateBytes: number;
  /** Seconds of the processor, for one peer in one run. */
  readonly seconds: Statistic;
}

/** The rows of a suite, in the order in which their first cells were run. */
export function rowsOf({ suite, cells }: SuiteResults): readonly Row[] {
  const metric = METRICS[suite.data];
  const groups = grouped(cells, ({ cell: { split, peers, attack, method } }) =>
    [splitName(split), peers, attack, method.name].join(" "),
  );
  return [...groups.values()].map((group) =>
    rowOf(
      group[0]!.cell,
      group.map(({ result }) => result),
      metric,
    ),
  );
}

/** In order of first appearance. */
export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

function rowOf(
  { suite, method, split, peers, attack, learningRate }: Cell,
  results: readonly CellResult[],
  metric: Metric,
): Row {
  const over = (of: (result: CellResult) => number): Statistic => statisticOf(results.map(of));
  const peersMean = (of: (peer: CellResult["peers"][number]) => number): Statistic =>
    over((result) => meanOf(result.peers.map(of)));
  const [{ trainedParameters, sentParameters, updateBytes }] = results as [CellResult];
  return {
    suite: suite.name,
    split: splitName(split),
    peers,
    attack,
    method: method.name,
    title: method.title,
    seeds: results.length,
    learningRate,
    own: peersMean(({ own }) => metric.of(own)),
    others: peersMean(({ others }) => metric.of(others)),
    worst: over((result) => {
      const values = result.peers.map(({ own }) => metric.of(own));
      return metric.rises ? Math.min(...values) : Math.max(...values);
    }),
    ownLoss: peersMean(({ own }) => own.loss),
    psiOwn: peersMean(({ psiOwn }) => psiOwn),
    psiOthers: peersMean(({ psiOthers }) => psiOthers),
    lambda: peersMean(({ lambdaMean }) => lambdaMean),
    lastQuarter: over((result) => lastQuarterGain(result, metric)),
    trainedParameters,
    sentParameters,
    bytesPerRound: updateBytes * (peers - 1),
    updateBytes,
    seconds: over(({ seconds }) => (seconds.train + seconds.aggregate) / peers),
  };
}

/** Mean and deviation over values. */
export const statisticOf = (values: readonly number[]): Statistic => ({
  mean: meanOf(values),
  deviation: deviationOf(values),
});
