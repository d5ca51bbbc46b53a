/** `weft members expire`: a membership that ends sooner than it would. */
import { NodeError } from "../../node/errors.ts";
import { parsePeerId } from "../../protocol/peer-id.ts";
import type { Moment } from "../option-value.ts";
import { decide, endOf, membersOf, nowSeconds, operatorOf, type RosterFlags } from "../roster-action.ts";
import { dateWords } from "../statement-words.ts";
import type { Terminal } from "../terminal.ts";

export async function run(
  options: RosterFlags & { readonly at?: Moment },
  terminal: Terminal,
  argument = "",
): Promise<number> {
  const subject = parsePeerId(argument);
  const operator = await operatorOf(options, terminal);
  const { members, policy } = await membersOf(operator);
  const known = members.find(({ peer }) => peer === subject);
  if (known === undefined) {
    throw new NodeError("NOT_ALLOWED", `${subject} is no member; weft members list shows who is`, { subject });
  }
  const now = nowSeconds();
  const { at = { in: 0 } } = options;
  const lasts = "in" in at ? at.in : at.at - now;
  if (lasts < 0) {
    const text = `${dateWords(now + lasts)} is over; without --at the membership ends now`;
    throw new NodeError("CONFIG_INVALID", text, { at: now + lasts });
  }
  if (known.notBefore > now + lasts) {
    const text = `the membership of ${subject} begins after that, ${dateWords(known.notBefore)}; weft members revoke ends it for good`;
    throw new NodeError("NOT_ALLOWED", text, { subject });
  }
  const notAfter = endOf(lasts, policy.certificateSeconds, now);
  // An interval of no length is none.
  const notBefore = Math.min(Math.max(known.notBefore, now), notAfter - 1);
  const statement = { kind: "expire", subject, role: known.role, notBefore, notAfter } as const;
  return await decide(operator, { kind: "propose", statement }, options, terminal);
}
