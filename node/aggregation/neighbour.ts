/**
 * The updates of other peers, put in order: which of them count, in which sequence, and with which weight for their
 * age.
 */

/** The newest update of one other peer, as the inbox holds it. */
export interface NeighbourUpdate {
  readonly peer: string;
  /** The round in which its author sent it. */
  readonly round: number;
  /** The author's adapter, f32[P]. */
  readonly theta: Float32Array;
  /**
   * Training examples behind it, as its author claims. Nobody can check it, and a lie buys influence: it weighs only
   * where the manifest's `weights` say so.
   */
  readonly sampleCount: number;
  /** Neighbours that its author counts, as it claims; absent where it says nothing. */
  readonly neighbours?: number | undefined;
  /** How alike its author's data set and this peer's are, 0 to 1, by their sketches; absent where one is missing. */
  readonly dataSimilarity?: number | undefined;
  /** Nats per token by which its updates lowered this peer's own held-out loss, on average; absent before the first look. */
  readonly gain?: number | undefined;
}

/** Rounds that an update is behind; 0 for one from a peer that is ahead. */
export function ageOf(update: NeighbourUpdate, round: number): number {
  return Math.max(0, round - update.round);
}

/** (age + 1)^-a: 1 when fresh, falling with age.  Source: Xie, Koyejo and Gupta 2019, arXiv:1903.03934. */
export function stalenessWeight(age: number, exponent: number): number {
  return (age + 1) ** -exponent;
}

/**
 * The neighbours that may enter an aggregate: not older than `ageMax` rounds, in rising order of peer id (by UTF-16
 * code units, never by locale), so that equal inboxes give equal sums whatever order they arrived in.
 * Throws: RangeError when the peer's own update is among them, or one peer twice; the inbox holds neither.
 */
export function selectNeighbours({
  self,
  neighbours,
  round,
  ageMax,
}: {
  readonly self: string;
  readonly neighbours: readonly NeighbourUpdate[];
  readonly round: number;
  readonly ageMax: number;
}): readonly NeighbourUpdate[] {
  const sorted = [...neighbours].sort((a, b) => (a.peer < b.peer ? -1 : a.peer > b.peer ? 1 : 0));
  for (const [i, { peer }] of sorted.entries()) {
    if (peer === self) throw new RangeError(`the update of ${peer} itself must not enter its own aggregate`);
    if (i > 0 && peer === sorted[i - 1]!.peer) throw new RangeError(`two updates of ${peer} for one aggregate`);
  }
  return sorted.filter((update) => ageOf(update, round) <= ageMax);
}
