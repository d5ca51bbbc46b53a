/** One cell of the table, a method on one division of the data with one seed, and its result. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import type { Attack } from "./attack.ts";
import type { PeerScores } from "./jury.ts";
import type { MeetingKind } from "./meetings.ts";
import { hearsOthers } from "./method.ts";
import { forgetting, METRICS, type Metric } from "./metric.ts";
import type { SimulationResult } from "./simulate.ts";
import { type Split, splitName } from "./split.ts";
import type { DeclaredMethod, Suite } from "./table.ts";

/** One simulation that the table asks for. */
export interface Cell {
  readonly suite: Suite;
  readonly method: DeclaredMethod;
  readonly split: Split;
  readonly peers: number;
  readonly seed: number;
  readonly attack: Attack | "none";
  /** How many peers lie; 1 when absent. */
  readonly liars?: number;
  readonly learningRate: number;
  /** Whether the cell belongs to the search for a learning rate; its test scores are never looked at then. */
  readonly tuning: boolean;
}

/** The figures of a peer that go into the tables. */
export interface PeerRow {
  readonly task?: string;
  readonly own: PeerScores;
  readonly others: PeerScores;
  readonly psiOwn: number;
  readonly psiOthers: number;
  readonly lambdaMean: number;
  /** Rounds whose aggregate it refused, and whether its process would have ended; absent in older cells. */
  readonly refused?: number;
  readonly hasExited?: boolean;
}

/** The result of a cell, as it is kept on disk. */
export interface CellResult {
  /** Digest of everything that the result depends on. */
  readonly key: string;
  readonly cell: {
    readonly suite: string;
    readonly method: string;
    readonly split: string;
    readonly peers: number;
    readonly seed: number;
    readonly attack: string;
    readonly liars?: number;
    readonly learningRate: number;
    readonly tuning: boolean;
  };
  /** The state of the program that computed it, as `git describe` says it; absent in older cells. */
  readonly commit?: string;
  /** Honest updates for which a peer would have blamed somebody; absent in older cells. */
  readonly blamed?: number;
  /** Peers that lied are left out. */
  readonly peers: readonly PeerRow[];
  /** Rounds over at each look, and the honest peers' means there. */
  readonly looks: readonly number[];
  readonly ownLosses: readonly number[];
  readonly own: readonly number[];
  readonly others: readonly number[];
  readonly trainedParameters: number;
  readonly sentParameters: number;
  readonly updateBytes: number;
  /** Seconds of the processor, of all peers and rounds. */
  readonly seconds: SimulationResult["seconds"];
}

/**
 * In which file a cell's result lies, such as `tasks/mixed-n8-s1-fedit.json`. Those of the search for a learning rate are
 * found by what they depend on, because suites that differ in other things share them.
 */
export function cellPath(cell: Cell, key: string): string {
  const { suite, method, split, peers, seed, attack, liars = 1, learningRate, tuning } = cell;
  const parts = [splitName(split), `n${peers}`, `s${seed}`, method.name];
  if (tuning) return `tuning/${[...parts, `lr${learningRate}`, key.slice(0, 8)].join("-")}.json`;
  const lie = attack === "none" ? [] : [attack, ...(liars === 1 ? [] : [`f${liars}`])];
  const met = metIn(cell);
  return `${suite.cells ?? suite.name}/${[...parts, ...lie, ...(met ? [met] : [])].join("-")}.json`;
}

/** Who met whom, where that could make a difference. */
const metIn = ({ suite: { meetings }, method }: Cell): MeetingKind | undefined =>
  hearsOthers(method) ? meetings : undefined;

/** modelDigest: of the base model's weights. What is only a title does not count. */
export function cellKey(cell: Cell, modelDigest: string): string {
  const { suite, method, split, peers, seed, attack, liars = 1, learningRate } = cell;
  const { data, sizes, rounds, localSteps, lookEvery, training } = suite;
  const { exchange, adapter, aggregation, reference, encoding, training: own } = method;
  const text = canonicalize({
    modelDigest,
    suite: { data, sizes, rounds, localSteps, lookEvery, training },
    method: { exchange, adapter, aggregation, reference, encoding, training: own },
    ...{ split, peers, seed, attack, learningRate },
    // Left out where it says nothing new, so that older cells keep their keys.
    ...(attack !== "none" && liars !== 1 && { liars }),
    ...(suite.scoresOthers === false && { scoresOthers: false }),
    meetings: metIn(cell),
  });
  return bytesToHex(sha256(new TextEncoder().encode(text))).slice(0, 32);
}

/** The rows of the honest peers. */
export function cellResult(
  cell: Cell,
  {
    key,
    result,
    tasks,
    commit,
  }: {
    readonly key: string;
    readonly result: SimulationResult;
    readonly tasks: readonly (string | undefined)[];
    readonly commit?: string | undefined;
  },
): CellResult {
  const metric = METRICS[cell.suite.data];
  const { peers: honest, blamed, looks, trainedParameters, sentParameters, updateBytes, seconds } = result;
  const curve = (of: (peer: (typeof honest)[number], look: number) => number): number[] =>
    looks.map((_, look) => rounded(meanOf(honest.map((peer) => of(peer, look)))));
  return {
    key,
    ...(commit !== undefined && { commit }),
    blamed,
    cell: {
      suite: cell.suite.name,
      method: cell.method.name,
      split: splitName(cell.split),
      peers: cell.peers,
      seed: cell.seed,
      attack: cell.attack,
      ...(cell.attack !== "none" && cell.liars !== undefined && { liars: cell.liars }),
      learningRate: cell.learningRate,
      tuning: cell.tuning,
    },
    peers: honest.map((peer, i) => ({
      ...(tasks[i] === undefined ? {} : { task: tasks[i] }),
      own: peer.own,
      others: peer.others,
      psiOwn: forgetting(peer.ownCurve, metric),
      psiOthers: forgetting(peer.othersCurve, metric),
      lambdaMean: peer.lambdas.length === 0 ? 0 : meanOf(peer.lambdas),
      refused: peer.refused,
      hasExited: peer.hasExited,
    })),
    looks,
    ownLosses: curve((peer, look) => peer.ownCurve[look]!.loss),
    own: curve((peer, look) => metric.lookedAt(peer.ownCurve[look]!)),
    others: curve((peer, look) => metric.lookedAt(peer.othersCurve[look]!)),
    trainedParameters,
    sentParameters,
    updateBytes,
    seconds,
  };
}

/** The swarm's validation loss at the end, by which learning rates are chosen. */
export const validationLoss = ({ ownLosses }: CellResult): number => ownLosses.at(-1)!;

/**
 * By how much the metric still got better in the last quarter of the rounds; near zero where the curve has flattened,
 * negative where it got worse.
 */
export function lastQuarterGain({ looks, own }: CellResult, metric: Metric): number {
  const from = looks.findIndex((round) => round >= 0.75 * looks.at(-1)!);
  const change = own.at(-1)! - own[from]!;
  return metric.rises ? change : -change;
}

/** The mean of values; NaN without any. */
export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The deviation of a sample: divided by n - 1; 0 for a single value. */
export function deviationOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

/** Six digits, which is more than any of them is good for. */
const rounded = (value: number): number => Number(value.toPrecision(6));
