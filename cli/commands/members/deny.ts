/** `weft members deny`: declining what is pending. */
import type { CommandRow } from "../../command-row.ts";
import { MOTION_JSON } from "../../json-shapes.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { MOTION, ROSTER_OPTIONS } from "../../shared-options.ts";
import type { Terminal } from "../../terminal.ts";

/** The row of `weft members deny`, and what it runs. */
export const denyMembersCommand: CommandRow = {
  name: ["members", "deny"],
  text: "Decline a request or another motion. The other admins can still approve it.",
  argument: MOTION,
  options: ROSTER_OPTIONS,
  example: "weft members deny 3f9a01c2d4e5 --data-dir alice",
  json: MOTION_JSON,
  run,
};

async function run(options: RosterFlags, terminal: Terminal, argument = ""): Promise<number> {
  const { decide, operatorOf, pendingId } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  return await decide(operator, { kind: "deny", id: await pendingId(operator, argument) }, options, terminal);
}
