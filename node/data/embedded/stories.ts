/** The running text of the embedded corpus: stories of 2 to 4 simple sentences from a small grammar. */
import type { Prng } from "../../../protocol/prng.ts";
import { pick, pickDifferent } from "./draw.ts";
import {
  ADJECTIVES,
  ANIMALS,
  article,
  COLOURS,
  FOODS,
  OPPOSITE_PAIRS,
  oppositeOf,
  PEOPLE,
  PLACES,
  PLURALS,
  THING_PAIRS,
  THINGS,
} from "./vocabulary.ts";

/** The cast of a story; every sentence speaks of the same hero, friend, animal, thing and place. */
interface Scene {
  readonly hero: string;
  readonly he: string;
  readonly He: string;
  readonly his: string;
  readonly friend: string;
  readonly animal: string;
  readonly thing: string;
  readonly colour: string;
  readonly place: string;
  readonly food: string;
  readonly adjective: string;
  /** An adjective that fits a thing. */
  readonly quality: string;
}

type Sentence = (scene: Scene, prng: Prng) => string;

/** `count` stories, each one line of text.  The same stream gives the same stories. */
export function pretrainingText(prng: Prng, count: number): string[] {
  return Array.from({ length: count }, () => story(prng));
}

function story(prng: Prng): string {
  const scene = drawScene(prng);
  const plan = prng.below(4);
  if (plan === 0) return pick(prng, FACTS)(scene, prng);
  const middles = pickDifferent(prng, MIDDLES, plan === 3 ? 2 : 1);
  const sentences = [pick(prng, OPENINGS), ...middles];
  if (plan >= 2) sentences.push(pick(prng, ENDINGS));
  return sentences.map((sentence) => sentence(scene, prng)).join(" ");
}

function drawScene(prng: Prng): Scene {
  const [hero, friend] = pickDifferent(prng, PEOPLE, 2) as [(typeof PEOPLE)[number], (typeof PEOPLE)[number]];
  return {
    hero: hero.name,
    he: hero.pronoun,
    He: hero.pronoun === "he" ? "He" : "She",
    his: hero.pronoun === "he" ? "his" : "her",
    friend: friend.name,
    animal: pick(prng, ANIMALS),
    thing: pick(prng, THINGS),
    colour: pick(prng, COLOURS),
    place: pick(prng, PLACES),
    food: pick(prng, FOODS),
    adjective: pick(prng, ADJECTIVES),
    quality: pick(prng, pick(prng, THING_PAIRS)),
  };
}

const OPENINGS: readonly Sentence[] = [
  (s) => `${s.hero} has ${article(s.colour)} ${s.colour} ${s.thing}.`,
  (s) => `${s.hero} is in the ${s.place}.`,
  (s) => `One day, ${s.hero} went to the ${s.place}.`,
  (s) => `One day, ${s.hero} and ${s.friend} saw ${article(s.colour)} ${s.colour} ${s.animal}.`,
  (s) => `${s.hero} lost ${s.his} ${s.colour} ${s.thing}.`,
  (s) => `${s.hero} had ${article(s.animal)} ${s.animal}. The ${s.animal} was ${s.adjective}.`,
  (s) => `${s.hero} lived in the ${s.place} with the ${s.animal}.`,
  (s) => `${s.hero} liked the ${s.quality} ${s.thing}.`,
];

const MIDDLES: readonly Sentence[] = [
  (s) => `${s.He} gave the ${s.thing} to ${s.friend}.`,
  (s) => `${s.He} saw ${article(s.animal)} ${s.animal} in the ${s.place}.`,
  (s) => `${s.He} took the ${s.thing} to the ${s.place}.`,
  (s) => `The ${s.animal} ran to the ${s.place}.`,
  (s) => `The ${s.animal} ate the ${s.food}.`,
  (s) => `${s.friend} was in the ${s.place} with ${article(s.colour)} ${s.colour} ${s.thing}.`,
  (s) => `${s.He} was not ${s.adjective}. ${s.He} was ${oppositeOf(s.adjective)}.`,
  (s) => `The ${s.thing} is not ${s.quality}. It is ${oppositeOf(s.quality)}.`,
  (s) => `"Who has the ${s.thing}?" said ${s.friend}.`,
  (s) => `"Where is the ${s.animal}?" said ${s.friend}.`,
  (s, prng) => `${s.He} made ${s.food} and ${pick(prng, FOODS)} for ${s.friend}.`,
  (s) => `${s.He} found the ${s.thing} twice.`,
  (s, prng) => `First ${s.he} saw the ${s.animal}, and second ${s.he} saw the ${pick(prng, ANIMALS)}.`,
];

const ENDINGS: readonly Sentence[] = [
  (s) => `Then ${s.he} went home.`,
  (s) => `${s.hero} was happy.`,
  (s) => `Then they ate ${s.food}.`,
  (s) => `They went to the ${s.place} and slept.`,
  (s) => `It was ${article(s.quality)} ${s.quality} day.`,
  () => "The day ends and all animals sleep.",
  (s) => `${s.friend} said it was ${s.quality}.`,
];

/** Single facts: what kind of thing a word names, what is the opposite of what, many of one. */
const FACTS: readonly Sentence[] = [
  (s) => `The ${s.animal} is an animal.`,
  (s) => `The ${s.animal} and the ${s.thing}: the ${s.animal} is the animal.`,
  (s) => `${s.colour} is a colour and the ${s.place} is a place.`,
  (s) => `We eat ${s.food}. It is a food.`,
  (_, prng) => {
    const pair = prng.shuffle(pick(prng, OPPOSITE_PAIRS));
    return `The opposite of ${pair[0]} is ${pair[1]}. They are opposites.`;
  },
  (_, prng) => {
    const [one, many] = pick(prng, [...PLURALS]);
    return `${article(one) === "a" ? "A" : "An"} ${one} and a second ${one}: two ${many}.`;
  },
  (s, prng) => `${s.hero} can sort the ${pick(prng, [...PLURALS.values()])} in order, and then in reverse.`,
];
