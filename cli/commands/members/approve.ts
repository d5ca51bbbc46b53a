/** `weft members approve`: agreeing to what is pending. */
import type { CommandRow } from "../../command-row.ts";
import { MOTION_JSON } from "../../json-shapes.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { MOTION, ROSTER_OPTIONS, WITHOUT_QUORUM } from "../../shared-options.ts";
import type { Terminal } from "../../terminal.ts";

/** The row of `weft members approve`, and what it runs. */
export const approveMembersCommand: CommandRow = {
  name: ["members", "approve"],
  text: "Approve a pending motion, or one that was declined here. It holds once enough admins have approved: the policy says how many.",
  argument: MOTION,
  options: [WITHOUT_QUORUM, ...ROSTER_OPTIONS],
  example: "weft members approve 3f9a01c2d4e5 --data-dir alice",
  json: MOTION_JSON,
  run,
};

async function run(options: RosterFlags, terminal: Terminal, argument = ""): Promise<number> {
  const { decide, operatorOf, pendingId } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  return await decide(operator, { kind: "approve", id: await pendingId(operator, argument) }, options, terminal);
}
