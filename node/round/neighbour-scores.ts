/**
 * The score of a neighbour: what its update by itself does to this peer's loss on data of its own. A few neighbours are looked at
 * in a round, those first whose last look is longest ago, so that the cost does not grow with the network.
 */
import type { ScoreFigures } from "../interface/peer-event.ts";
import { studentQuantile } from "../lambda/paired.ts";

/** What a peer remembers of its looks at one neighbour; plain data. */
export interface NeighbourScore {
  readonly peer: string;
  /** The round of the last look. */
  readonly round: number;
  /** L(x) - L(x mixed evenly with the neighbour's update alone) at each look, in nats per token, the newest last. */
  readonly gains: readonly number[];
}

interface Loss {
  /** In nats per response token. */
  readonly loss: number;
}

/** lambda of a look: the even mix, which the adaptive lambda tries as well. */
export const LOOK_SHARE = 0.5;
/** Neighbours that are looked at in a round, and in a network that weighs by scores. Each costs an evaluation. */
export const LOOKS = { shown: 1, weighed: 2 } as const;
/** Held-out examples of a look: half of those that lambda is judged on, because looks are pooled. */
export const LOOK_EXAMPLES_MAX = 32;
/** Looks that the running mean is over: what a neighbour was worth long ago says little. */
export const GAINS_MAX = 8;
/** Nats per token; a model that knows nothing has fewer, and a loss that is no number counts as so much harm. */
export const GAIN_MAX = 20;
/** Scores that are shown, the worst first. */
export const SHOWN_MAX = 32;
/** Two-sided 95 %. */
const INTERVAL_QUANTILE = 1.96;

/** The neighbours to look at next: those never looked at, then those whose last look is longest ago; of equals by peer id. */
export function dueNeighbours(scores: readonly NeighbourScore[], heard: readonly string[], count: number): string[] {
  const lookedAt = new Map(scores.map(({ peer, round }) => [peer, round]));
  const since = (peer: string): number => lookedAt.get(peer) ?? -1;
  return [...heard].sort((a, b) => since(a) - since(b) || (a < b ? -1 : 1)).slice(0, count);
}

/** The gain of one look, within ±GAIN_MAX; a mix without a finite loss is the worst, an own adapter without one knows nothing: 0. */
export function gainOf(own: Loss, mixed: Loss | undefined): number {
  if (!Number.isFinite(own.loss)) return 0;
  if (mixed === undefined || !Number.isFinite(mixed.loss)) return -GAIN_MAX;
  return Math.min(GAIN_MAX, Math.max(-GAIN_MAX, own.loss - mixed.loss));
}

/** The scores after one more look; at most `scoresMax` are kept, those looked at last. */
export function withLook(
  scores: readonly NeighbourScore[],
  { peer, round, gain }: { readonly peer: string; readonly round: number; readonly gain: number },
  scoresMax: number,
): readonly NeighbourScore[] {
  const before = scores.find((one) => one.peer === peer)?.gains ?? [];
  const others = scores.filter((one) => one.peer !== peer);
  return [...others, { peer, round, gains: [...before, gain].slice(-GAINS_MAX) }].slice(-scoresMax);
}

/** mean ± t s / √n over the looks, t the 97.5 % quantile of Student's distribution. */
export function figuresOf({ peer, gains }: NeighbourScore): ScoreFigures {
  const n = gains.length;
  const gain = gains.reduce((sum, one) => sum + one, 0) / n;
  if (n < 2) return { peer, looks: n, gain };
  const variance = gains.reduce((sum, one) => sum + (one - gain) ** 2, 0) / (n - 1);
  return { peer, looks: n, gain, interval: studentQuantile(n - 1, INTERVAL_QUANTILE) * Math.sqrt(variance / n) };
}

/** The figures to show, the neighbours that harm most first; nothing where nobody was looked at. */
export function shownScores(scores: readonly NeighbourScore[]): { readonly scores?: readonly ScoreFigures[] } {
  if (scores.length === 0) return {};
  const figures = scores.map(figuresOf).sort((a, b) => a.gain - b.gain || (a.peer < b.peer ? -1 : 1));
  return { scores: figures.slice(0, SHOWN_MAX) };
}
