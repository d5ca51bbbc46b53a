/**
 * Whom a person means by a name, and who could be taken for whom. A label is what a peer chose itself: another one may choose the
 * same, or one that only looks the same, so that a label names nobody while a second member could be meant by it.
 */
import type { PeerId } from "../../protocol/peer-id.ts";

/** Characters of ASCII that are taken for one another in most typefaces; what is not a letter or a digit counts for nothing. */
const ALIKE: readonly (readonly [RegExp, string])[] = [
  [/\|/g, "l"],
  [/[^a-z0-9]/g, ""],
  [/[1i]/g, "l"],
  [/0/g, "o"],
  [/5/g, "s"],
  [/2/g, "z"],
  [/8/g, "b"],
  [/rn/g, "m"],
  [/vv/g, "w"],
  [/cl/g, "d"],
];

/**
 * Whether one label could be taken for another: they differ by case, spaces, signs and characters that look alike. A label has
 * printable ASCII alone (protocol/README.md, 10.7), so that no other script comes in.
 */
export const looksLike = (one: string, other: string): boolean => bare(one) === bare(other);

/** A label without what people do not see; one that has nothing else stays as it is. */
function bare(label: string): string {
  const plain = label.trim().toLowerCase();
  return ALIKE.reduce((text, [what, by]) => text.replace(what, by), plain) || plain;
}

/** A member, and what it called itself, where that is known. */
export interface Labelled {
  readonly peer: PeerId;
  readonly label?: string;
}

/** Who is meant by a name. */
export type Meant =
  | { readonly kind: "nobody" }
  /** by: whether the end of its id was given, which it did not choose, or its label. */
  | { readonly kind: "one"; readonly peer: PeerId; readonly by: "ending" | "label" }
  | { readonly kind: "several"; readonly peers: readonly PeerId[] };

/** Fewer characters of an id name nobody. */
const ENDING_LENGTH_MIN = 4;

/** The members that a person may mean by the end of an id or by a label, those among them whose label looks like that one. */
export function membersMeant(members: readonly Labelled[], text: string): Meant {
  const ending = text.replace(/^…|^\.\.\./, "");
  const isEnding = ({ peer }: Labelled): boolean => ending.length >= ENDING_LENGTH_MIN && peer.endsWith(ending);
  const isLabelled = ({ label }: Labelled): boolean => text.trim() !== "" && label === text;
  const isNamed = members.some(isLabelled);
  const isAlike = ({ label }: Labelled): boolean => isNamed && label !== undefined && looksLike(label, text);
  const found = members.filter((one) => isEnding(one) || isLabelled(one) || isAlike(one));
  const [first] = found;
  if (first === undefined) return { kind: "nobody" };
  if (found.length > 1) return { kind: "several", peers: found.map(({ peer }) => peer) };
  return { kind: "one", peer: first.peer, by: isEnding(first) ? "ending" : "label" };
}
