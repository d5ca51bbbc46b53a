/**
 * Every flag and argument of every command, given what it cannot be: one line says what is wrong, before anything is done. Rows
 * come from the command table, so that a new command is held to it from its first day.
 */
import { describe, expect, it } from "vitest";
import { type CommandRow, longName, type OptionRow, takesValue } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { buildProgram, expectedFailure } from "./program.ts";

/** One program for all tries: to build it takes longer than to parse. */
const program = buildProgram({ out: () => undefined, err: () => undefined }, async () => undefined);

/** The line that these words are refused with; undefined where they are a command line. */
async function lineOf(words: readonly string[]): Promise<string | undefined> {
  try {
    await program.parseAsync([...words], { from: "user" });
    return undefined;
  } catch (error) {
    return expectedFailure(error, undefined, words);
  }
}

/** Words that a command needs before a flag of it is looked at. */
const needed = ({ name, argument }: CommandRow): string[] => [
  ...name,
  ...(argument && !argument.optional ? ["x"] : []),
];
const isPath = ({ flags }: OptionRow): boolean => /<(file|folder)>/.test(flags);
/** Of a name that people choose only hidden characters are wrong for certain. */
const isFreeText = ({ flags }: OptionRow): boolean => flags === "--label <text>" || flags === "--name <name>";
const FLAGS = COMMANDS.flatMap((row) => row.options.map((option) => ({ row, option })));

describe("a flag", () => {
  it("is refused without the value that it needs, and with one that it does not take", async () => {
    for (const { row, option } of FLAGS) {
      const name = longName(option);
      if (takesValue(option)) {
        const line = await lineOf([...needed(row), `--${name}`]);
        expect(line).toMatch(/^option '.*' argument missing; see weft .*--help$/);
      } else expect(await lineOf([...needed(row), `--${name}=no`])).toBe(`--${name} takes no value; leave it out`);
    }
  });

  it("is refused with what no flag takes: an empty text, hidden characters, a number beyond all bounds", async () => {
    for (const { row, option } of FLAGS.filter(({ option }) => option.parse !== undefined || isPath(option))) {
      const values = ["\u0007?\u001b[2J", ...(isFreeText(option) ? [] : ["", "-99999999999999999999"])];
      for (const value of option.parse ? values : [""]) {
        const line = await lineOf([...needed(row), `--${longName(option)}=${value}`]);
        expect(line, `${row.name} ${option.flags} ${value}`).toMatch(/; |, |: /);
      }
    }
  });
});

describe("an argument", () => {
  it("is refused where it is missing, and where there is one too many", async () => {
    for (const row of COMMANDS) {
      const { argument } = row;
      if (argument && !argument.optional)
        expect(await lineOf(row.name)).toMatch(/^missing required argument '\w+'; see/);
      if (argument?.several) continue;
      const line = await lineOf([...row.name, ...(argument ? ["x"] : []), "y"]);
      expect(line).toMatch(/^(too many arguments for|unknown command) .*; see weft/);
    }
  });
});
