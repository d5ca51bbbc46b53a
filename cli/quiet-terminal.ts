/** A terminal for `--quiet`: of the talk on standard error, warnings and failures alone. */
import type { Terminal } from "./terminal.ts";

/** What is said in spite of `--quiet`. */
const LOUD = /^(weft|warning): /;

/** The same terminal, without talk, without a view that is drawn over. */
export function quietTerminal({ draw: _, ...terminal }: Terminal): Terminal {
  return {
    ...terminal,
    errIsTerminal: false,
    isQuiet: true,
    err: (text) => {
      const lines = text.split("\n").filter((line) => LOUD.test(line));
      if (lines.length > 0) terminal.err(`${lines.join("\n")}\n`);
    },
  };
}
