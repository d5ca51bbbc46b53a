/** What every command touches; see `silence.suite.ts`.  Run by `npm run test:silence`. */
import { expect, it } from "vitest";
import { COMMANDS } from "./command-table.ts";
import { describeSilence, LINES } from "./silence.suite.ts";

it("every command of the table is run", () => {
  const names = COMMANDS.map(({ name }) => name.join(" "));
  const missing = names.filter((name) => !LINES.some(({ words }) => words === name || words.startsWith(`${name} `)));
  expect(missing).toEqual([]);
});

describeSilence(LINES);
