/** `weft members promote`: another role, or a longer membership. */
import { LIMITS } from "../../../protocol/limits.ts";
import type { Role } from "../../../protocol/membership/roles.ts";
import { ROLES } from "../../../protocol/membership/roles.ts";
import type { CommandRow } from "../../command-row.ts";
import { MOTION_JSON } from "../../json-shapes.ts";
import { choice, duration } from "../../option-value.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { ALONE, MEMBER, ROSTER_OPTIONS, WITHOUT_QUORUM } from "../../shared-options.ts";
import type { Terminal } from "../../terminal.ts";

/** The row of `weft members promote`, and what it runs. */
export const promoteMembersCommand: CommandRow = {
  name: ["members", "promote"],
  text: "Propose another role for a member, or a membership that lasts longer.",
  argument: MEMBER,
  options: [
    {
      flags: "--role <word>",
      text: `the new role: ${ROLES.join(", ")}`,
      parse: choice(ROLES),
      otherwise: "the role that it has",
    },
    {
      flags: "--lasts <time>",
      text: "length of the membership from now on, such as 30d",
      parse: duration(60, LIMITS.certificateSecondsMax),
      otherwise: "as long as the policy allows",
    },
    WITHOUT_QUORUM,
    ALONE,
    ...ROSTER_OPTIONS,
  ],
  example: "weft members promote 12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL --role admin --data-dir alice",
  json: MOTION_JSON,
  run,
};

async function run(
  options: RosterFlags & { readonly role?: Role; readonly lasts?: number },
  terminal: Terminal,
  argument = "",
): Promise<number> {
  const { decide, endOf, memberOf, nowSeconds, operatorOf, peerNamed } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  const subject = await peerNamed(operator, argument, { isTrusting: options.role !== undefined });
  const { member, policy } = await memberOf(operator, subject);
  const now = nowSeconds();
  const notAfter = endOf(options.lasts, policy.certificateSeconds, now);
  const statement = { kind: "promote", subject, role: options.role ?? member.role, notBefore: now, notAfter } as const;
  return await decide(operator, { kind: "propose", statement }, options, terminal);
}
