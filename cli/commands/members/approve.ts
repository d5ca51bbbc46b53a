/** `weft members approve`: agreeing to what is pending. */
import { decide, operatorOf, pendingId, type RosterFlags } from "../../roster-action.ts";
import type { Terminal } from "../../terminal.ts";

export async function run(options: RosterFlags, terminal: Terminal, argument = ""): Promise<number> {
  const operator = await operatorOf(options, terminal);
  return await decide(operator, { kind: "approve", id: await pendingId(operator, argument) }, options, terminal);
}
