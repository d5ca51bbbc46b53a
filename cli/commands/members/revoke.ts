/** `weft members revoke`: proposing that somebody is no member any more. */
import type { RevokeReason } from "../../../protocol/membership/entry.ts";
import { parsePeerId } from "../../../protocol/peer-id.ts";
import { decide, operatorOf, type RosterFlags } from "../../roster-action.ts";
import type { Terminal } from "../../terminal.ts";

export async function run(
  options: RosterFlags & { readonly reason?: RevokeReason },
  terminal: Terminal,
  argument = "",
): Promise<number> {
  const statement = { kind: "revoke", subject: parsePeerId(argument), reason: options.reason ?? "other" } as const;
  return await decide(await operatorOf(options, terminal), { kind: "propose", statement }, options, terminal);
}
