import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPrng } from "../../../protocol/prng.ts";
import { TASK_KINDS } from "./default-tasks.ts";

/**
 * The answers by another route: everything is read from the prompt's text, and what has to be known of words is
 * written down here once more, not taken from the generator.
 */
const OPPOSITES =
  "big small hot cold old new happy sad fast slow wet dry long short loud quiet full empty hard soft clean dirty light dark high low rich poor good bad early late strong weak thick thin".split(
    " ",
  );
const SORTS: Record<string, string> = {
  animal: "cat dog bird fish cow pig hen duck fox bear wolf frog lion mouse horse goat bee owl",
  place: "garden house park river forest kitchen school barn hill lake farm town beach shop cave room",
  food: "bread milk rice soup cake apple pear corn cheese honey",
  colour: "red blue green yellow black white brown pink grey",
};
const sortOf = (word: string): string | undefined =>
  Object.keys(SORTS).find((sort) => SORTS[sort]!.split(" ").includes(word));
const opposite = (word: string): string => OPPOSITES[OPPOSITES.indexOf(word) ^ 1]!;
const singular = (many: string): string =>
  ({ mice: "mouse", wolves: "wolf", boxes: "box", foxes: "fox" })[many] ?? many.slice(0, -1);
const group = (text: string, pattern: RegExp): string => {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`${pattern} does not match ${text}`);
  return found;
};

/** The right answers a careful reader would accept, given instruction, content and the words of the content. */
const READERS: Record<string, (content: string, words: string[], instruction: string) => string> = {
  copy: (content) => content,
  first: (_, words) => words[0]!,
  last: (_, words) => words[words.length - 1]!,
  second: (_, words) => words[1]!,
  third: (_, words) => words[2]!,
  ends: (_, words) => `${words[0]} ${words[words.length - 1]}`,
  backward: (_, words) => words.reduce((text, word) => (text === "" ? word : `${word} ${text}`), ""),
  reverse: (_, words) => `${words[2]} ${words[1]} ${words[0]}`,
  after: (content, _, instruction) => group(content, new RegExp(`\\b${instruction.slice(6)} (\\w+)`)),
  opposite: (_, words) => opposite(words[0]!),
  opposites: (_, words) => `${opposite(words[0]!)} ${opposite(words[1]!)}`,
  count: (content) => "1 2 3 4 5 6".slice(0, 2 * Number(content) - 1),
  larger: (_, words) => (Number(words[0]) > Number(words[1]) ? words[0]! : words[1]!),
  smaller: (_, words) => (Number(words[0]) < Number(words[1]) ? words[0]! : words[1]!),
  sort: (content, words) => (Number(words[0]) < Number(words[1]) ? content : `${words[1]} ${words[0]}`),
  kind: (content) => sortOf(content)!,
  ...Object.fromEntries(
    Object.keys(SORTS).map((sort) => [
      sort,
      (_: string, words: string[]) => words.filter((word) => sortOf(word) === sort).join(" "),
    ]),
  ),
  "which-colour": (content) => group(content, new RegExp(`an? (\\w+) ${group(content, /is the (\w+)\?/)}\\.`)),
  what: (content) => group(content, new RegExp(`${group(content, /has (\w+)\?/)} has an? \\w+ (\\w+)\\.`)),
  who: (content) => group(content, new RegExp(`(\\w+) has an? \\w+ ${group(content, /the (\w+)\?/)}\\.`)),
  where: (content) => group(content, new RegExp(`${group(content, /is (\w+)\?/)} is in the (\\w+)\\.`)),
  is: (content) => group(content, /^The \w+ is (\w+)\./),
  not: (content) => {
    const denied = group(content, /is not (\w+)\./);
    return group(content, /is the \w+ (\w+ or \w+)\?/).replace(new RegExp(` or |\\b${denied}\\b`, "g"), "");
  },
};

describe("kinds of task", () => {
  for (const kind of TASK_KINDS) {
    test(`${kind.name}: the response is what a reader of the prompt answers`, () => {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          const { prompt, response } = kind.generate(createPrng(seed));
          const parts = /^([a-z ]+): (.+) ->$/.exec(prompt);
          expect(parts, prompt).not.toBeNull();
          const [, instruction, content] = parts as unknown as [string, string, string];
          if (kind.name === "plural") expect(singular(response.trim())).toBe(content);
          else expect(response, prompt).toBe(` ${READERS[kind.name]!(content, content.split(" "), instruction)}`);
          expect(response.trim().split(" ").length).toBeLessThanOrEqual(6);
        }),
        { numRuns: 60 },
      );
    });
  }

  test("names are unique and both groups have several kinds", () => {
    expect(new Set(TASK_KINDS.map(({ name }) => name)).size).toBe(TASK_KINDS.length);
    expect(TASK_KINDS.filter(({ group: g }) => g === "base").length).toBeGreaterThanOrEqual(8);
    expect(TASK_KINDS.filter(({ group: g }) => g === "tuned").length).toBe(8);
  });
});
