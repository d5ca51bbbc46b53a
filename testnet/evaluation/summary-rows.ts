/** Rows over the cells of a suite: one for each method, division, number of peers and attack, over the seeds. */

import { shareOfWay } from "../words/way.ts";
import { type Cell, type CellResult, deviationOf, lastQuarterGain, meanOf } from "./cell.ts";
import type { PeerScores } from "./jury.ts";
import { METRICS, type Metric } from "./metric.ts";
import { type PairedGain, pairedGain } from "./paired.ts";
import type { SuiteResults } from "./run-table.ts";
import { splitName } from "./split.ts";

/** Over the seeds. */
export interface Statistic {
  readonly mean: number;
  /** Standard deviation of the sample; 0 for one seed. */
  readonly deviation: number;
  /** Values that it is over; a spread is printed from three on. */
  readonly count: number;
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
  /** How much better own is than after training the same kind of adapter alone, peer by peer and seed by seed; absent where nobody did. */
  readonly gain?: PairedGain;
  /**
   * Own on the way from alone (0) to everybody's data in one place (1), with the same kind of adapter, over the seeds of all three;
   * absent without both, or where one place is no better.
   */
  readonly way?: number;
  /** The same seed by seed, undefined where a seed has no way; absent where `way` is. A mean over seeds hides how far apart they are. */
  readonly ways?: readonly (number | undefined)[];
  /** The same as `way` of the loss. */
  readonly lossWay?: number;
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
  const settings = grouped(cells, ({ cell: { split, peers, attack } }) => [splitName(split), peers, attack].join(" "));
  const byMethod = new Map([...settings].map(([place, all]) => [place, [...grouped(all, methodOf).values()]]));
  const groups = grouped(cells, ({ cell: { split, peers, attack, method } }) =>
    [splitName(split), peers, attack, method.name].join(" "),
  );
  return [...groups.values()].map((group) => {
    const { cell } = group[0]!;
    const place = [splitName(cell.split), cell.peers, cell.attack].join(" ");
    const row = rowOf(cell, group.map(compared), metric);
    return { ...row, ...comparison(group, byMethod.get(place)!, metric) };
  });
}

type Cells = SuiteResults["cells"];
const methodOf = ({ cell }: Cells[number]): string => cell.method.name;

/** Beside runs with a liar, the run without one is over the same peers: all but the last, which lies in the others. */
function compared({ cell, result }: Cells[number]): CellResult {
  const isClean =
    cell.suite.attacks !== undefined && cell.attack === "none" && result.peers.length === cell.peers && cell.peers > 1;
  return isClean ? { ...result, peers: result.peers.slice(0, -1) } : result;
}

/** Against training alone and in one place with the same kind of adapter, where these are among the cells of the setting. */
function comparison(
  group: Cells,
  setting: readonly Cells[],
  metric: Metric,
): Pick<Row, "gain" | "way" | "ways" | "lossWay"> {
  const { kind } = group[0]!.cell.method.adapter ?? {};
  const those = (exchange: "none" | "pooled"): Cells | undefined =>
    setting.find(([first]) => {
      const { method } = first!.cell;
      return method.exchange === exchange && method.adapter?.kind === kind && method.reference === undefined;
    });
  const [alone, pooled] = [those("none"), those("pooled")];
  const { name } = group[0]!.cell.method;
  const isOther = (cells: Cells | undefined): cells is Cells =>
    cells !== undefined && cells[0]!.cell.method.name !== name;
  if (!isOther(alone)) return {};
  const pairs = group.flatMap((one) => {
    const other = alone.find(({ cell }) => cell.seed === one.cell.seed);
    return other ? [peerGains(compared(one), compared(other), metric)] : [];
  });
  if (pairs.length === 0) return {};
  const gain = pairedGain(pairs.flat(), pairs.length);
  if (!isOther(pooled)) return { gain };
  // Where more is better, the way is counted downwards all the same.
  const metricWay = (seeds: readonly number[]): number | undefined =>
    wayBetween(
      { alone, group, pooled, seeds },
      (own) => (metric.rises ? -1 : 1) * metric.of(own),
      2 * metric.tolerance,
    );
  const seeds = commonSeeds(group, alone, pooled);
  const way = metricWay(seeds);
  const lossWay = wayBetween({ alone, group, pooled, seeds }, ({ loss }) => loss);
  const ways = seeds.map((seed) => metricWay([seed]));
  return { gain, ...(way !== undefined && { way, ways }), ...(lossWay !== undefined && { lossWay }) };
}

/** The seeds that all of these have. */
function commonSeeds(first: Cells, ...others: readonly Cells[]): readonly number[] {
  const seeds = first.map(({ cell }) => cell.seed);
  return seeds.filter((seed) => others.every((cells) => cells.some(({ cell }) => cell.seed === seed)));
}

/** The share of the way of a number that is the better the smaller it is, over seeds that all three have. */
function wayBetween(
  {
    alone,
    group,
    pooled,
    seeds,
  }: {
    readonly alone: Cells;
    readonly group: Cells;
    readonly pooled: Cells;
    readonly seeds: readonly number[];
  },
  of: (scores: PeerScores) => number,
  wayMin?: number,
): number | undefined {
  const mean = (cells: Cells): number => {
    const common = cells.filter(({ cell }) => seeds.includes(cell.seed));
    return meanOf(common.map((one) => meanOf(compared(one).peers.map(({ own }) => of(own)))));
  };
  return shareOfWay({ alone: mean(alone), swarm: mean(group), central: mean(pooled) }, wayMin);
}

/** By how much each peer's own is better than that of the same peer in another result. */
function peerGains(one: CellResult, other: CellResult, metric: Metric): readonly number[] {
  const sign = metric.rises ? 1 : -1;
  return one.peers.map(({ own }, p) => sign * (metric.of(own) - metric.of(other.peers[p]!.own)));
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
  count: values.length,
});
