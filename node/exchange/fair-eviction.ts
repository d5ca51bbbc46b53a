/**
 * Who goes where a table of authors is full. In an open network keys are free, and one neighbour may tell of any number of
 * authors: so whoever has told of most makes room for the authors that others tell of, and nobody pushes out those of a
 * neighbour that has told of fewer.
 */
import type { PeerId } from "../../protocol/peer-id.ts";

/** An author in a table. */
export interface Told {
  readonly author: PeerId;
  /** The neighbour that told of it first; the author itself where it is one. */
  readonly teller: PeerId;
  readonly round: number;
}

/** The author that goes for a new one; undefined: there is no place for it. Of several the lowest round, then the lowest id. */
export function evicted(table: readonly Told[], { teller, round }: Omit<Told, "author">): PeerId | undefined {
  const counts = new Map<PeerId, number>();
  for (const one of table) counts.set(one.teller, (counts.get(one.teller) ?? 0) + 1);
  const countOf = (one: Told): number => counts.get(one.teller) ?? 0;
  const own = counts.get(teller) ?? 0;
  const most = Math.max(0, ...counts.values());
  if (most > own + 1) return stalest(table.filter((one) => countOf(one) === most))?.author;
  const found = stalest(table.filter((one) => countOf(one) >= own));
  return found !== undefined && found.round < round ? found.author : undefined;
}

function stalest(table: readonly Told[]): Told | undefined {
  return table.reduce<Told | undefined>(
    (least, one) => (least === undefined || isStaler(one, least) ? one : least),
    undefined,
  );
}

const isStaler = (a: Told, b: Told): boolean => a.round < b.round || (a.round === b.round && a.author < b.author);
