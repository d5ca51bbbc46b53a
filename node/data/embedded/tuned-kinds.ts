/**
 * The kinds of task for fine-tuning: new instruction words that put skills of the base kinds together in another way.
 * The base model never meets them in pre-training. The first four, which four peers use by default, can be learned to the
 * end from some hundred examples; `who` asks for what the base model itself only guesses.
 */

import { owners, pickTask, wordList } from "./base-kinds.ts";
import { pick, pickDifferent } from "./draw.ts";
import type { TaskKind } from "./task-kind.ts";
import { task } from "./task-kind.ts";
import { ANIMALS, NUMBER_MAX, OPPOSITE_PAIRS, oppositeOf, THING_PAIRS, THINGS } from "./vocabulary.ts";

/** The kinds of task for fine-tuning, the default four first. */
export const TUNED_KINDS: readonly TaskKind[] = [
  {
    name: "second",
    group: "tuned",
    generate: (prng) => {
      const list = wordList(prng, { from: 3, to: 4 });
      return task({ instruction: "second", content: list.join(" "), answer: [list[1]!] });
    },
  },
  {
    name: "reverse",
    group: "tuned",
    generate: (prng) => {
      const list = wordList(prng, { from: 3, to: 3 });
      return task({ instruction: "reverse", content: list.join(" "), answer: list.toReversed() });
    },
  },
  {
    name: "animal",
    group: "tuned",
    generate: (prng) => pickTask(prng, { name: "animal", sort: ANIMALS }),
  },
  {
    name: "not",
    group: "tuned",
    generate: (prng) => {
      const pair = prng.shuffle(pick(prng, THING_PAIRS));
      const thing = pick(prng, THINGS);
      const denied = pick(prng, pair);
      const content = `The ${thing} is not ${denied}. is the ${thing} ${pair[0]} or ${pair[1]}?`;
      return task({ instruction: "read", content, answer: [oppositeOf(denied)] });
    },
  },
  {
    name: "ends",
    group: "tuned",
    generate: (prng) => {
      const list = wordList(prng, { from: 3, to: 4 });
      return task({ instruction: "ends", content: list.join(" "), answer: [list[0]!, list.at(-1)!] });
    },
  },
  {
    name: "opposites",
    group: "tuned",
    generate: (prng) => {
      const pair = pickDifferent(prng, OPPOSITE_PAIRS, 2).map((opposites) => pick(prng, opposites));
      return task({ instruction: "opposites", content: pair.join(" "), answer: pair.map(oppositeOf) });
    },
  },
  {
    name: "sort",
    group: "tuned",
    generate: (prng) => {
      const all = Array.from({ length: NUMBER_MAX }, (_, i) => i + 1);
      const pair = pickDifferent(prng, all, 2);
      const sorted = pair.toSorted((a, b) => a - b);
      return task({ instruction: "sort", content: pair.join(" "), answer: sorted.map(String) });
    },
  },
  {
    name: "who",
    group: "tuned",
    generate: (prng) => {
      const { text, names, things } = owners(prng);
      const at = prng.below(2);
      return task({ instruction: "read", content: `${text} who has the ${things[at]}?`, answer: [names[at]!] });
    },
  },
];
