/** Looks at single neighbours in a round: each update is mixed in by itself and evaluated on held-out data. */
import { LIMITS } from "../../protocol/limits.ts";
import { type AdapterLayout, ageOf, ifAdapter, mix, type NeighbourUpdate } from "../aggregation/index.ts";
import type { Trainer } from "../interface/trainer.ts";
import {
  dueNeighbours,
  gainOf,
  LOOK_EXAMPLES_MAX,
  LOOK_SHARE,
  type NeighbourScore,
  withLook,
} from "./neighbour-scores.ts";

/** What the looks of a round are at. */
export interface LookOptions {
  readonly scores: readonly NeighbourScore[];
  readonly neighbours: readonly NeighbourUpdate[];
  readonly own: Float32Array;
  readonly layout: AdapterLayout;
  /** A neighbour's adapter by itself in the gauge of the own one, f32[P]; undefined where it is none. */
  readonly inOwnGauge: (update: NeighbourUpdate) => Promise<Float32Array | undefined>;
  /** Neighbours to look at, and the oldest update that counts, in rounds. */
  readonly count: number;
  readonly ageMax: number;
  readonly round: number;
  readonly signal: AbortSignal;
}

/**
 * The scores after this round's looks; the trainer stays as it is.
 * Throws: what the trainer throws; the signal's reason when aborted between looks.
 */
export async function lookAtNeighbours(trainer: Trainer, options: LookOptions): Promise<readonly NeighbourScore[]> {
  const { neighbours, own, layout, inOwnGauge, count, ageMax, round, signal } = options;
  const heard = new Map(neighbours.filter((one) => ageOf(one, round) <= ageMax).map((one) => [one.peer, one]));
  const due = dueNeighbours(options.scores, [...heard.keys()], count);
  if (due.length === 0) return options.scores;
  const evaluate = (adapter: Float32Array): Promise<{ readonly loss: number }> =>
    trainer.evaluate({ set: "validation", adapter, examplesMax: LOOK_EXAMPLES_MAX });
  const before = await evaluate(own);
  let { scores } = options;
  for (const peer of due) {
    signal.throwIfAborted();
    const z = await inOwnGauge(heard.get(peer)!);
    const mixed = z && ifAdapter(() => mix({ ...layout, own, z, lambda: LOOK_SHARE }));
    const gain = gainOf(before, mixed && (await evaluate(mixed)));
    scores = withLook(scores, { peer, round, gain }, LIMITS.headsCountMax);
  }
  return scores;
}
