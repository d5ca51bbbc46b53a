/** A table with so many places, shared by those whose messages wait in it: nobody fills it for the others. */

/** One message of a table. */
export interface Place {
  /** Who is answerable for it. */
  readonly origin: string;
  /** Whether this peer has declined what it asks for. */
  readonly isDeclined: boolean;
  readonly forget: () => void;
}

/**
 * Make room for one more message of an origin, the oldest of `places` first. A full table forgets what was declined, and else
 * the newest message of whoever has most in it, where that is more than this origin would have then.
 * Returns whether there is room.
 */
export function makeRoom(places: readonly Place[], origin: string, placesMax: number): boolean {
  if (places.length < placesMax) return true;
  const counts = new Map<string, number>();
  for (const { origin: one } of places) counts.set(one, (counts.get(one) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const isSpare = (place: Place): boolean => counts.get(place.origin) === most && most > (counts.get(origin) ?? 0) + 1;
  const spare = places.find(({ isDeclined }) => isDeclined) ?? places.findLast(isSpare);
  spare?.forget();
  return spare !== undefined;
}
