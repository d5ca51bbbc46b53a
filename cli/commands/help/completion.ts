/** `weft completion`: the script by which a shell completes commands and flags. */
import { NodeError } from "../../../node/index.ts";
import { closestName } from "../../../protocol/closest-name.ts";
import type { CommandRow } from "../../command-row.ts";
import { completionScript, SHELLS } from "../../completion.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft completion`, and what it runs.  commands: those of the table, which this one stands in itself. */
export const completionCommand = (commands: () => readonly CommandRow[]): CommandRow => ({
  name: ["completion"],
  text: "Print the script by which a shell completes weft's commands and flags.",
  argument: { name: "shell", text: `${SHELLS.join(", ")}` },
  options: [],
  example: "weft completion bash",
  run: async (_, terminal, argument = "") => complete(commands(), terminal, argument),
});

function complete(commands: readonly CommandRow[], terminal: Terminal, argument: string): number {
  const shell = SHELLS.find((name) => name === argument);
  if (shell === undefined) {
    const near = closestName(argument, SHELLS);
    const text = `there is no completion for "${argument}"; ${near ? `did you mean ${near}?` : `give ${SHELLS.join(", ")}`}`;
    throw new NodeError("CONFIG_INVALID", text);
  }
  terminal.out(completionScript(shell, commands));
  return EXIT_OK;
}
