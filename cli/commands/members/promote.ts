/** `weft members promote`: another role, or a longer membership. */
import type { Role } from "../../../protocol/membership/roles.ts";
import { parsePeerId } from "../../../protocol/peer-id.ts";
import { decide, endOf, memberOf, nowSeconds, operatorOf, type RosterFlags } from "../../roster-action.ts";
import type { Terminal } from "../../terminal.ts";

export async function run(
  options: RosterFlags & { readonly role?: Role; readonly lasts?: number },
  terminal: Terminal,
  argument = "",
): Promise<number> {
  const subject = parsePeerId(argument);
  const operator = await operatorOf(options, terminal);
  const { member, policy } = await memberOf(operator, subject);
  const now = nowSeconds();
  const notAfter = endOf(options.lasts, policy.certificateSeconds, now);
  const statement = { kind: "promote", subject, role: options.role ?? member.role, notBefore: now, notAfter } as const;
  return await decide(operator, { kind: "propose", statement }, options, terminal);
}
