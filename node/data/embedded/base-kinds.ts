/**
 * The kinds of task that the base model meets in pre-training: positions in a list, opposites, plurals, numbers,
 * questions about sentences that stand in the prompt, picking one sort of word out of a list.
 */
import type { Prng } from "../../../protocol/prng.ts";
import { between, pick, pickDifferent } from "./draw.ts";
import type { Task, TaskKind } from "./task-kind.ts";
import { task } from "./task-kind.ts";
import {
  ADJECTIVES,
  ANIMALS,
  article,
  COLOURS,
  FOODS,
  LIST_WORDS,
  NUMBER_MAX,
  oppositeOf,
  PEOPLE,
  PLACES,
  PLURALS,
  THING_PAIRS,
  THINGS,
} from "./vocabulary.ts";

/** Two owners, each with a thing of another colour: the scene of the questions what, colour and who. */
export interface Owners {
  readonly names: readonly [string, string];
  readonly things: readonly [string, string];
  readonly colours: readonly [string, string];
  readonly text: string;
}

/** Two different people, and a different thing for each of them. */
export function owners(prng: Prng): Owners {
  const names = pickDifferent(prng, PEOPLE, 2).map(({ name }) => name) as [string, string];
  const things = pickDifferent(prng, THINGS, 2) as [string, string];
  const colours = pickDifferent(prng, COLOURS, 2) as [string, string];
  const says = (i: 0 | 1): string => `${names[i]} has ${article(colours[i])} ${colours[i]} ${things[i]}.`;
  return { names, things, colours, text: `${says(0)} ${says(1)}` };
}

/** A list of `from` to `to` different words. */
export function wordList(prng: Prng, length: { readonly from: number; readonly to: number }): string[] {
  return pickDifferent(prng, LIST_WORDS, between(prng, length));
}

/** One word of `sort` hidden at a random place among two to three other words. */
export function pickTask(
  prng: Prng,
  { name, sort }: { readonly name: string; readonly sort: readonly string[] },
): Task {
  const others = LIST_WORDS.filter((word) => !sort.includes(word));
  const answer = pick(prng, sort);
  const list = prng.shuffle([answer, ...pickDifferent(prng, others, between(prng, { from: 2, to: 3 }))]);
  return task({ instruction: name, content: list.join(" "), answer: [answer] });
}

const numbers = (prng: Prng): [number, number] =>
  pickDifferent(
    prng,
    Array.from({ length: NUMBER_MAX }, (_, i) => i + 1),
    2,
  ) as [number, number];

const listKind = (
  name: string,
  lengths: readonly number[],
  answer: (list: readonly string[]) => readonly string[],
): TaskKind => ({
  name,
  group: "base",
  generate: (prng) => {
    const list = pickDifferent(prng, LIST_WORDS, pick(prng, lengths));
    return task({ instruction: name, content: list.join(" "), answer: answer(list) });
  },
});

const pickKind = (name: string, sort: readonly string[]): TaskKind => ({
  name,
  group: "base",
  generate: (prng) => pickTask(prng, { name, sort }),
});

const numberKind = (name: string, answer: (a: number, b: number) => number): TaskKind => ({
  name,
  group: "base",
  generate: (prng) => {
    const [a, b] = numbers(prng);
    return task({ instruction: name, content: `${a} ${b}`, answer: [`${answer(a, b)}`] });
  },
});

/** The kinds of task of the pre-training. */
export const BASE_KINDS: readonly TaskKind[] = [
  listKind("copy", [2, 3, 4, 5], (list) => list),
  listKind("first", [3, 4, 5], (list) => [list[0]!]),
  listKind("last", [3, 4, 5], (list) => [list.at(-1)!]),
  listKind("third", [3, 4, 5], (list) => [list[2]!]),
  listKind("backward", [2, 4], (list) => list.toReversed()),
  {
    name: "after",
    group: "base",
    generate: (prng) => {
      const list = wordList(prng, { from: 3, to: 5 });
      const at = prng.below(list.length - 1);
      return task({ instruction: `after ${list[at]}`, content: list.join(" "), answer: [list[at + 1]!] });
    },
  },
  {
    name: "opposite",
    group: "base",
    generate: (prng) => {
      const word = pick(prng, ADJECTIVES);
      return task({ instruction: "opposite", content: word, answer: [oppositeOf(word)] });
    },
  },
  {
    name: "plural",
    group: "base",
    generate: (prng) => {
      const [one, many] = pick(prng, [...PLURALS]);
      return task({ instruction: "plural", content: one, answer: [many] });
    },
  },
  {
    name: "count",
    group: "base",
    generate: (prng) => {
      const n = between(prng, { from: 2, to: 6 });
      return task({ instruction: "count", content: `${n}`, answer: Array.from({ length: n }, (_, i) => `${i + 1}`) });
    },
  },
  numberKind("larger", Math.max),
  numberKind("smaller", Math.min),
  pickKind("colour", COLOURS),
  pickKind("place", PLACES),
  pickKind("food", FOODS),
  {
    name: "kind",
    group: "base",
    generate: (prng) => {
      const sorts = { animal: ANIMALS, place: PLACES, food: FOODS, colour: COLOURS };
      const [sort, list] = pick(prng, Object.entries(sorts));
      return task({ instruction: "kind", content: pick(prng, list), answer: [sort] });
    },
  },
  {
    name: "which-colour",
    group: "base",
    generate: (prng) => {
      const { text, things, colours } = owners(prng);
      const at = prng.below(2);
      return task({
        instruction: "read",
        content: `${text} what colour is the ${things[at]}?`,
        answer: [colours[at]!],
      });
    },
  },
  {
    name: "what",
    group: "base",
    generate: (prng) => {
      const { text, names, things } = owners(prng);
      const at = prng.below(2);
      return task({ instruction: "read", content: `${text} what has ${names[at]}?`, answer: [things[at]!] });
    },
  },
  {
    name: "where",
    group: "base",
    generate: (prng) => {
      const names = pickDifferent(prng, PEOPLE, 2).map(({ name }) => name);
      const places = pickDifferent(prng, PLACES, 2);
      const at = prng.below(2);
      const text = names.map((name, i) => `${name} is in the ${places[i]}.`).join(" ");
      return task({ instruction: "read", content: `${text} where is ${names[at]}?`, answer: [places[at]!] });
    },
  },
  {
    name: "is",
    group: "base",
    generate: (prng) => {
      const pair = prng.shuffle(pick(prng, THING_PAIRS));
      const thing = pick(prng, THINGS);
      const answer = pick(prng, pair);
      const content = `The ${thing} is ${answer}. is the ${thing} ${pair[0]} or ${pair[1]}?`;
      return task({ instruction: "read", content, answer: [answer] });
    },
  },
];
