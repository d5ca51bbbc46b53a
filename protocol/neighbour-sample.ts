/** Which of its neighbours a peer hears in a round, where a network's peers hear only some of them. */
import { createPrng } from "./prng.ts";

/** The neighbours that one peer hears in one round. */
export interface NeighbourSample {
  /**
   * Whether an author is among the `count` of the lowest draws of `authors`. An author that is added to the list later moves
   * another one out or stays outside. No other author changes sides, so that little is fetched in vain.
   */
  has(author: string, authors: Iterable<string>): boolean;
}

/**
 * The sample of one peer in one round. An author's draw is the first `uniform` of the stream
 * seed/neighbour-sample/round/self/author; equal draws go by id.
 */
export function neighbourSample({
  seed,
  round,
  self,
  count,
}: {
  readonly seed: number;
  readonly round: number;
  readonly self: string;
  readonly count: number;
}): NeighbourSample {
  const stream = createPrng(seed).fork("neighbour-sample").fork(String(round)).fork(self);
  const draws = new Map<string, number>();
  const drawOf = (author: string): number => {
    const known = draws.get(author);
    if (known !== undefined) return known;
    const draw = stream.fork(author).uniform();
    draws.set(author, draw);
    return draw;
  };
  return {
    has(author, authors) {
      const draw = drawOf(author);
      let before = 0;
      for (const other of authors) {
        const theirs = drawOf(other);
        if (theirs < draw || (theirs === draw && other < author)) before++;
      }
      return before < count;
    },
  };
}
