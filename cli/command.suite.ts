/** The command line run in this process, as tests of commands need it: what it printed, and how it ended. */
import { runCommandLine } from "./program.ts";
import type { Terminal } from "./terminal.ts";

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Run `weft` with these words.
 * answers: given, one after the other, where a secret is asked for; environment: its variables, none when absent.
 */
export async function weft(
  words: readonly string[],
  answers?: readonly string[],
  environment: Terminal["environment"] = {},
): Promise<CommandResult> {
  let [out, err] = ["", ""];
  const left = [...(answers ?? [])];
  const terminal: Terminal = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    errIsTerminal: false,
    // How far the work is has tests of its own; here its thread would cost more than many a command.
    isQuiet: true,
    columns: () => 120,
    nextLine: () => new Promise(() => undefined),
    ...(answers && { askSecret: async () => left.shift() ?? "" }),
    environment,
    signal: new AbortController().signal,
  };
  const code = await runCommandLine(words, terminal);
  return { code, out, err };
}
