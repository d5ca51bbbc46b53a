/** What attacks do, in figures: the honest peers' held-out loss against their run without liars, and against training alone. */
import { type Cell, type CellResult, meanOf } from "./cell.ts";
import type { SuiteResults } from "./run-table.ts";

/** One attack on one method, compared with the same honest peers without it. */
export interface AttackFigures {
  readonly method: string;
  readonly attack: string;
  readonly peers: number;
  readonly liars: number;
  readonly seed: number;
  /** Means over the honest peers, nats per token: alone, among the honest ones only, and with the liars among them. */
  readonly alone: number;
  readonly clean: number;
  readonly attacked: number;
  /** Share of the gain over training alone that the attack takes; NaN where the honest ones gain nothing to speak of. */
  readonly lost: number;
  /** Standard error of `lost` over the honest peers, each with and without the liars; 0 where it is not known. */
  readonly lostError: number;
  /** By how much the peer that fares worst is above its loss alone, as a share of that; negative where all are below. */
  readonly worst: number;
  /** The same without the liars. */
  readonly worstClean: number;
  /** Rounds of all honest peers whose aggregate was refused; peers that ended; honest updates that somebody was blamed for. */
  readonly refused: number;
  readonly exits: number;
  readonly blamed: number;
}

/** Gains below this are no gain: 0.01 nats per token, as the evaluation's tables count. */
const GAIN_MIN = 0.01;
/** The share of the gain that an attack may take, as the defaults aim at. */
export const LOST_MAX = 0.05;
/** How far a peer may end above its own loss alone, as a share of that. */
export const WORST_MAX = 0.02;

/** Whether an attack stays within what the defaults aim at. */
export function isHeld({ lost, worst, exits, blamed }: AttackFigures): boolean {
  return !(lost > LOST_MAX) && worst <= WORST_MAX && exits === 0 && blamed === 0;
}

/**
 * The figures of every attack of a suite for which the run alone and the run of the honest peers are there as well; in the
 * order of the cells.
 */
export function attackFigures({ cells }: Pick<SuiteResults, "cells">): readonly AttackFigures[] {
  const find = (like: Cell, wanted: (cell: Cell) => boolean): CellResult | undefined =>
    cells.find(({ cell }) => cell.peers === like.peers && cell.seed === like.seed && wanted(cell))?.result;
  return cells.flatMap(({ cell, result }) => {
    if (cell.attack === "none" || cell.attack === "silent") return [];
    const kind = cell.method.adapter.kind;
    const alone = find(cell, ({ method }) => method.exchange === "none" && method.adapter.kind === kind);
    const clean = find(
      cell,
      (one) => one.attack === "silent" && one.method === cell.method && one.liars === cell.liars,
    );
    return alone && clean ? [figuresOf(cell, { alone, clean, attacked: result })] : [];
  });
}

function figuresOf(
  { method, attack, peers, liars = 1, seed }: Cell,
  results: { readonly alone: CellResult; readonly clean: CellResult; readonly attacked: CellResult },
): AttackFigures {
  const honest = peers - liars;
  const lossesOf = ({ peers: rows }: CellResult): number[] => rows.slice(0, honest).map(({ own }) => own.loss);
  const [alone, clean, attacked] = [lossesOf(results.alone), lossesOf(results.clean), lossesOf(results.attacked)];
  const gain = meanOf(alone) - meanOf(clean);
  const worstOf = (losses: readonly number[]): number =>
    losses.reduce((worst, loss, i) => Math.max(worst, finite(loss) / alone[i]! - 1), Number.NEGATIVE_INFINITY);
  return {
    method: method.name,
    attack,
    peers,
    liars,
    seed,
    alone: meanOf(alone),
    clean: meanOf(clean),
    attacked: meanOf(attacked.map(finite)),
    lost: gain >= GAIN_MIN ? (meanOf(attacked.map(finite)) - meanOf(clean)) / gain : Number.NaN,
    lostError: gain >= GAIN_MIN ? standardError(attacked.map((loss, i) => loss - clean[i]!)) / gain : 0,
    worst: worstOf(attacked),
    worstClean: worstOf(clean),
    refused: results.attacked.peers.reduce((sum, { refused = 0 }) => sum + refused, 0),
    exits: results.attacked.peers.filter(({ hasExited }) => hasExited).length,
    blamed: results.attacked.blamed ?? 0,
  };
}

/** s / √n of the mean of numbers; 0 where they are too few, or one is none. */
function standardError(values: readonly number[]): number {
  const n = values.length;
  if (n < 2 || !values.every(Number.isFinite)) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1) / n);
}

/** A loss that is no number is infinitely bad. */
const finite = (loss: number): number => (Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY);
