/** Flags that go together and those that do not: one that would be passed over is refused, in every command that has it. */
import { describe, expect, it } from "vitest";
import { weft } from "./command.suite.ts";
import { type CommandRow, camelCase, longName, takesValue } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { FLAG_RULES, type FlagTerm, refuseIdleFlags, rulesOf } from "./flag-rules.ts";

const PAIRS = COMMANDS.flatMap((row) => rulesOf(row).map((rule) => ({ row, rule })));
const hasFlag = (row: CommandRow, term: FlagTerm): boolean =>
  row.options.some((one) => longName(one) === term.split("=")[0]);

/** What refusing says where these are given; undefined where it says nothing. */
function refusalOf(
  row: CommandRow,
  typed: readonly FlagTerm[],
  elsewhere: readonly FlagTerm[] = [],
): string | undefined {
  const values = new Map(
    [...typed, ...elsewhere].map((term): [string, unknown] => {
      const [name = "", value = "x"] = term.split("=");
      return [camelCase(name), value];
    }),
  );
  const names = typed.map((term) => camelCase(term.split("=")[0] ?? ""));
  try {
    refuseIdleFlags(row, { value: (name) => values.get(name), isTyped: (name) => names.includes(name) });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe("a rule about flags", () => {
  it("names flags that there are, in the commands that it names", () => {
    for (const rule of FLAG_RULES) {
      const rows = COMMANDS.filter((row) => rulesOf(row).includes(rule));
      expect(
        rows.map(({ name }) => name.join(" ")),
        rule.flag,
      ).toEqual(
        rule.commands === undefined ? expect.not.arrayContaining([""]) : expect.arrayContaining([...rule.commands]),
      );
      expect(rows.length, rule.flag).toBeGreaterThan(0);
    }
  });

  it("refuses a flag beside what makes it idle, and not where the environment or a file says that", () => {
    for (const { row, rule } of PAIRS) {
      for (const term of (rule.notWith ?? []).filter((one) => hasFlag(row, one))) {
        const beside = `--${rule.flag} does nothing beside --${term.replace("=", " ")}: `;
        expect(refusalOf(row, [rule.flag, term]), `${row.name} ${rule.flag} ${term}`).toContain(beside);
        expect(`${refusalOf(row, [rule.flag], [term])}`).not.toContain("beside");
      }
    }
  });

  it("refuses a flag without what it needs, wherever that may be given", () => {
    for (const { row, rule } of PAIRS) {
      const needed = (rule.needs ?? []).filter((term) => hasFlag(row, term));
      if (needed.length === 0) continue;
      const others = rulesOf(row).flatMap((one) => (one.flag === rule.flag && one !== rule ? (one.needs ?? []) : []));
      const without = refusalOf(row, [rule.flag], others);
      expect(without, `${row.name} ${rule.flag}`).toContain(`--${rule.flag} does nothing without --`);
      for (const term of needed) expect(refusalOf(row, [rule.flag], [...others, term])).toBeUndefined();
    }
  });

  it("stands for every flag whose help names another flag of its command", () => {
    const told = new Set(
      FLAG_RULES.flatMap(({ flag, notWith = [], needs = [] }) =>
        [...notWith, ...needs].flatMap((term) => [`${flag} ${term.split("=")[0]}`, `${term.split("=")[0]} ${flag}`]),
      ),
    );
    const untold = COMMANDS.flatMap((row) =>
      row.options.flatMap((option) =>
        [...`${option.text} ${option.otherwise ?? ""}`.matchAll(/--([a-z-]+)/g)]
          .map(([, name = ""]) => name)
          .filter((name) => hasFlag(row, name) && name !== longName(option))
          .map((name) => `${longName(option)} ${name}`),
      ),
    );
    const unsaid = [...new Set(untold)].filter((pair) => !told.has(pair) && !(pair in TOGETHER));
    expect(unsaid, "give each a row in cli/flag-rules.ts, or say in TOGETHER below why it needs none").toEqual([]);
    expect(Object.keys(TOGETHER).filter((pair) => !untold.includes(pair))).toEqual([]);
  });
});

/** Flags whose help names another one, and which say something beside it all the same, or are held against it elsewhere. */
const TOGETHER: Readonly<Record<string, string>> = {
  "head logit-adjustment": "both hold",
  "reference proximal": "both hold",
  "tune adapter": "the search keeps what is given",
  "tune learning-rate": "the search keeps what is given",
  "tune head-learning-rate": "the search keeps what is given",
  "sketch-noise dp": "refused by cli/privacy-options.ts where it is idle",
  "dp-earlier dp": "refused by cli/privacy-options.ts where it is idle",
  "port listen": "both are listened on",
  "force out": "both hold",
  "model adapter": "both hold",
  "events format": "both ask for the same",
  "format json": "refused by cli/telling.ts",
  "admin page": "refused by weft run where they contradict each other",
  "watch json": "both hold",
  "json out": "both hold",
  "steps from": "both hold",
  "eval-steps early-stop": "both hold",
  "top-p temperature": "refused by weft generate at temperature 0",
};

describe("a command line", () => {
  it.each([
    ["adapter export --adapter a --data-dir b", "--data-dir does nothing beside --adapter"],
    ["train --data x.jsonl --steps 2 --epochs 3", "--steps does nothing beside --epochs"],
    ["eval --tasks t.jsonl --data x.jsonl", "--data does nothing beside --tasks"],
    ["run --columns prompt=a", "--columns does nothing without --data"],
  ])("weft %s is refused", async (words, told) => {
    const { code, err } = await weft(words.split(" "));
    expect([code, err]).toEqual([2, expect.stringContaining(told)]);
  });

  it("every flag without a value is one that a rule can see", () => {
    for (const { flag } of FLAG_RULES) {
      const options = COMMANDS.flatMap((row) => row.options.filter((one) => longName(one) === flag));
      expect(options.length, flag).toBeGreaterThan(0);
      expect(new Set(options.map(takesValue)).size, flag).toBe(1);
    }
  });
});
