/** `weft completion`: the script by which a shell completes commands and flags. */
import { NodeError } from "../../../node/index.ts";
import { closestName } from "../../../protocol/closest-name.ts";
import type { CommandRow } from "../../command-row.ts";
import { completionScript, SHELLS } from "../../completion.ts";
import { jsonText } from "../../json.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft completion`, and what it runs.  commands: those of the table, which this one stands in itself. */
export const completionCommand = (commands: () => readonly CommandRow[]): CommandRow => ({
  name: ["completion"],
  text: "Print the script by which a shell completes weft's commands and flags.",
  argument: { name: "shell", text: `${SHELLS.join(", ")}` },
  options: [JSON_OUTPUT],
  example: "weft completion bash",
  json: { shell: "the shell", script: "what it reads" },
  run: async ({ json }, terminal, argument = "") => complete(commands(), { terminal, isJson: json === true }, argument),
});

function complete(
  commands: readonly CommandRow[],
  { terminal, isJson }: { readonly terminal: Terminal; readonly isJson: boolean },
  argument: string,
): number {
  const shell = SHELLS.find((name) => name === argument);
  if (shell === undefined) {
    const near = closestName(argument, SHELLS);
    const text = `there is no completion for "${argument}"; ${near ? `did you mean ${near}?` : `give ${SHELLS.join(", ")}`}`;
    throw new NodeError("CONFIG_INVALID", text);
  }
  const script = completionScript(shell, commands);
  terminal.out(isJson ? jsonText({ shell, script }) : script);
  return EXIT_OK;
}
