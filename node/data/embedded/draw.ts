/** Drawing from lists with a seeded stream. */
import type { Prng } from "../../../protocol/prng.ts";

/** One item, all equally likely.  Throws: RangeError for an empty list. */
export function pick<T>(prng: Prng, items: readonly T[]): T {
  if (items.length === 0) throw new RangeError("cannot pick from an empty list");
  return items[prng.below(items.length)]!;
}

/** `count` different items in random order.  Throws: RangeError when there are fewer. */
export function pickDifferent<T>(prng: Prng, items: readonly T[], count: number): T[] {
  if (items.length < count) throw new RangeError(`cannot pick ${count} different items from ${items.length}`);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(prng.below(items.length));
  return [...chosen].map((index) => items[index]!);
}

/** A whole number from `from` to `to`, both included. */
export function between(prng: Prng, { from, to }: { readonly from: number; readonly to: number }): number {
  return from + prng.below(to - from + 1);
}
