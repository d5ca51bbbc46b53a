/** `weft members expire`: a membership that ends sooner than it would. */
import { NodeError } from "../../../node/errors.ts";
import { parsePeerId } from "../../../protocol/peer-id.ts";
import type { Moment } from "../../option-value.ts";
import { decide, endOf, memberOf, nowSeconds, operatorOf, type RosterFlags } from "../../roster-action.ts";
import { dateWords } from "../../statement-words.ts";
import type { Terminal } from "../../terminal.ts";

export async function run(
  options: RosterFlags & { readonly at?: Moment },
  terminal: Terminal,
  argument = "",
): Promise<number> {
  const subject = parsePeerId(argument);
  const operator = await operatorOf(options, terminal);
  const { member, policy } = await memberOf(operator, subject);
  const now = nowSeconds();
  const { at = { in: 0 } } = options;
  const lasts = "in" in at ? at.in : at.at - now;
  if (lasts < 0) {
    const text = `${dateWords(now + lasts)} is over; without --at the membership ends now`;
    throw new NodeError("CONFIG_INVALID", text, { at: now + lasts });
  }
  if (member.notBefore > now + lasts) {
    const text = `the membership of ${subject} begins after that, ${dateWords(member.notBefore)}; weft members revoke ends it for good`;
    throw new NodeError("NOT_ALLOWED", text, { subject });
  }
  const notAfter = endOf(lasts, policy.certificateSeconds, now);
  // An interval of no length is none.
  const notBefore = Math.min(Math.max(member.notBefore, now), notAfter - 1);
  const statement = { kind: "expire", subject, role: member.role, notBefore, notAfter } as const;
  return await decide(operator, { kind: "propose", statement }, options, terminal);
}
