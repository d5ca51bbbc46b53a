/**
 * The closed vocabulary of the embedded text: everyday words, short enough that most become one token each.
 * A word belongs to one list only, so that "which of these is an animal" has one answer.
 */

export type Pronoun = "he" | "she";

/** Names of people and their pronouns. */
export const PEOPLE: readonly { readonly name: string; readonly pronoun: Pronoun }[] = [
  { name: "Tom", pronoun: "he" },
  { name: "Ann", pronoun: "she" },
  { name: "Sam", pronoun: "he" },
  { name: "Mia", pronoun: "she" },
  { name: "Ben", pronoun: "he" },
  { name: "Lily", pronoun: "she" },
  { name: "Max", pronoun: "he" },
  { name: "Eva", pronoun: "she" },
  { name: "Leo", pronoun: "he" },
  { name: "Zoe", pronoun: "she" },
  { name: "Dan", pronoun: "he" },
  { name: "Ivy", pronoun: "she" },
];

const words = (list: string): readonly string[] => list.split(" ");

/** Animals, in the singular. */
export const ANIMALS = words("cat dog bird fish cow pig hen duck fox bear wolf frog lion mouse horse goat bee owl");
/** Places that somebody can go to. */
export const PLACES = words(
  "garden house park river forest kitchen school barn hill lake farm town beach shop cave room",
);
/** Things that somebody can own. */
export const THINGS = words(
  "ball hat box cup book bell lamp bed chair coat key door boat kite drum ring bag clock stone rope",
);
/** Foods. */
export const FOODS = words("bread milk rice soup cake apple pear corn cheese honey");
/** Colours. */
export const COLOURS = words("red blue green yellow black white brown pink grey");

/** Pairs of adjectives that mean the opposite of each other. */
export const OPPOSITE_PAIRS: readonly (readonly [string, string])[] = [
  ["big", "small"],
  ["hot", "cold"],
  ["old", "new"],
  ["happy", "sad"],
  ["fast", "slow"],
  ["wet", "dry"],
  ["long", "short"],
  ["loud", "quiet"],
  ["full", "empty"],
  ["hard", "soft"],
  ["clean", "dirty"],
  ["light", "dark"],
  ["high", "low"],
  ["rich", "poor"],
  ["good", "bad"],
  ["early", "late"],
  ["strong", "weak"],
  ["thick", "thin"],
];

/** Pairs that can be said of any thing: "The box is not hot. It is cold." */
export const THING_PAIRS = OPPOSITE_PAIRS.filter(
  ([word]) => !["happy", "fast", "rich", "early", "loud"].includes(word),
);

/** Both words of every pair of opposites. */
export const ADJECTIVES: readonly string[] = OPPOSITE_PAIRS.flat();

const OPPOSITES = new Map(OPPOSITE_PAIRS.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]));

/** The opposite of an adjective of `OPPOSITE_PAIRS`.  Throws: RangeError for any other word. */
export function oppositeOf(word: string): string {
  const opposite = OPPOSITES.get(word);
  if (opposite === undefined) throw new RangeError(`"${word}" has no opposite in the vocabulary`);
  return opposite;
}

/** Nouns with the plural they form; animals and things of which there can be many. */
export const PLURALS: ReadonlyMap<string, string> = new Map(
  [...ANIMALS.filter((noun) => noun !== "fish"), ...THINGS].map((noun) => [noun, pluralForm(noun)]),
);

function pluralForm(noun: string): string {
  switch (noun) {
    case "mouse":
      return "mice";
    case "wolf":
      return "wolves";
    case "box":
    case "fox":
      return `${noun}es`;
    default:
      return `${noun}s`;
  }
}

/** Words that lists are made of: nouns of every sort, colours and adjectives, each once. */
export const LIST_WORDS: readonly string[] = [...ANIMALS, ...PLACES, ...THINGS, ...FOODS, ...COLOURS, ...ADJECTIVES];

/** Largest number that the text writes; numbers run from 1. */
export const NUMBER_MAX = 30;

/** "a" or "an", by the next word's first letter. */
export function article(word: string): "a" | "an" {
  return /^[aeiou]/.test(word) ? "an" : "a";
}
