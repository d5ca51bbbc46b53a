/** The merges of a vocabulary of pieces: the pairs of pieces that make a piece. */

/** A pair that makes a piece, with what pairs of the same piece are put in order by. */
export interface PiecePair {
  readonly pair: readonly [left: string, right: string];
  readonly ids: readonly [left: number, right: number];
  /** Characters of the left one. */
  readonly length: number;
}

/** Pieces longer than this are runs of one character; the loop over their places would be quadratic in a file's favour. */
const PIECE_LENGTH_MAX = 128;

/**
 * The pairs that make each piece.
 * ids: of the pieces, by their text.  order: the pieces whose merges come first.  before: which of two pairs of one piece comes first,
 * as a comparison for sorting.
 */
export function pieceMerges(
  ids: ReadonlyMap<string, number>,
  order: Iterable<string>,
  before: (a: PiecePair, b: PiecePair) => number,
): readonly (readonly [string, string])[] {
  const merges: (readonly [string, string])[] = [];
  for (const piece of order) {
    const characters = [...piece];
    if (characters.length > PIECE_LENGTH_MAX) continue;
    const pairs: PiecePair[] = [];
    for (let length = 1; length < characters.length; length++) {
      const pair = [characters.slice(0, length).join(""), characters.slice(length).join("")] as const;
      const [left, right] = [ids.get(pair[0]), ids.get(pair[1])];
      if (left !== undefined && right !== undefined) pairs.push({ pair, ids: [left, right], length });
    }
    for (const { pair } of pairs.toSorted(before)) merges.push(pair);
  }
  return merges;
}
