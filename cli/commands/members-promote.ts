/** `weft members promote`: another role, or a longer membership. */
import { NodeError } from "../../node/errors.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import { parsePeerId } from "../../protocol/peer-id.ts";
import { decide, endOf, membersOf, nowSeconds, operatorOf, type RosterFlags } from "../roster-action.ts";
import type { Terminal } from "../terminal.ts";

export async function run(
  options: RosterFlags & { readonly role?: Role; readonly lasts?: number },
  terminal: Terminal,
  argument = "",
): Promise<number> {
  const subject = parsePeerId(argument);
  const operator = await operatorOf(options, terminal);
  const { members, policy } = await membersOf(operator);
  const known = members.find(({ peer }) => peer === subject);
  if (known === undefined) {
    throw new NodeError("NOT_ALLOWED", `${subject} is no member; weft network invite asks somebody in`, { subject });
  }
  const now = nowSeconds();
  const notAfter = endOf(options.lasts, policy.certificateSeconds, now);
  const statement = { kind: "promote", subject, role: options.role ?? known.role, notBefore: now, notAfter } as const;
  return await decide(operator, { kind: "propose", statement }, options, terminal);
}
