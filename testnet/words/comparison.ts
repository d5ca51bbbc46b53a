/** What the swarm was good for, one peer at a time: its scores after the swarm against those after training alone. */
import type { PeerReport } from "../../node/index.ts";
import { formatLoss, formatShare } from "./text-table.ts";

type Scores = Pick<PeerReport, "alone" | "swarm" | "rounds">;

/**
 * Whether the held-out loss after training in the swarm is higher than after training alone, by a difference that the
 * printed numbers show: three decimals. A loss that is no number is higher than any that is one. A peer that had no
 * neighbours was in no swarm, and is never worse for it.
 */
export function isWorseThanAlone({ alone, swarm, rounds }: Scores): boolean {
  // JSON has no NaN, so that null may stand for one; it must not be compared as the zero that it turns into.
  if (hadNoNeighbours({ rounds }) || alone === undefined || !Number.isFinite(alone.loss)) return false;
  if (!Number.isFinite(swarm.loss)) return true;
  return swarm.loss > alone.loss && formatLoss(swarm.loss) !== formatLoss(alone.loss);
}

/** Whether, likewise, the held-out accuracy in the swarm is lower than alone: 0.1 %. */
export function isLessAccurateThanAlone({ alone, swarm, rounds }: Scores): boolean {
  if (hadNoNeighbours({ rounds }) || alone === undefined) return false;
  return swarm.accuracy < alone.accuracy && formatShare(swarm.accuracy) !== formatShare(alone.accuracy);
}

/** Whether no update of another peer ever entered the peer's aggregate, in which case it trained as if alone. */
export function hadNoNeighbours({ rounds }: Pick<PeerReport, "rounds">): boolean {
  return rounds.every(({ neighbours }) => neighbours === 0);
}

/** In words, for one peer's own terminal: empty when it had neighbours and nothing is worse. */
export function comparisonSentences(report: PeerReport): string[] {
  if (hadNoNeighbours(report)) {
    return ["This peer had no neighbours: no update of another peer ever entered its aggregate."];
  }
  return isWorseThanAlone(report) ? ["The swarm was WORSE for this peer than training alone."] : [];
}
