/** `weft members expire`: a membership that ends sooner than it would. */
import { NodeError } from "../../../node/index.ts";
import { LIMITS } from "../../../protocol/limits.ts";
import { dateWords } from "../../../testnet/words/statement-words.ts";
import type { CommandRow } from "../../command-row.ts";
import { MOTION_JSON } from "../../json-shapes.ts";
import type { Moment } from "../../option-value.ts";
import { momentOrDuration } from "../../option-value.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { ALONE, MEMBER, ROSTER_OPTIONS, WITHOUT_QUORUM } from "../../shared-options.ts";
import type { Terminal } from "../../terminal.ts";

/** The row of `weft members expire`, and what it runs. */
export const expireMembersCommand: CommandRow = {
  name: ["members", "expire"],
  text: "Propose a time at which a membership ends. Unlike a revocation it can be changed later.",
  argument: MEMBER,
  options: [
    {
      flags: "--at <time>",
      text: "the end: a date in UTC, such as 2027-03-31 or 2027-03-31T18:00, or a time from now on, such as 30d",
      parse: momentOrDuration(LIMITS.certificateSecondsMax),
      otherwise: "now, with five minutes for clocks that differ",
    },
    WITHOUT_QUORUM,
    ALONE,
    ...ROSTER_OPTIONS,
  ],
  example: "weft members expire 12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL --at 30d --data-dir alice",
  json: MOTION_JSON,
  run,
};

async function run(
  options: RosterFlags & { readonly at?: Moment },
  terminal: Terminal,
  argument = "",
): Promise<number> {
  const { decide, endOf, memberOf, nowSeconds, operatorOf, peerNamed } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  const subject = await peerNamed(operator, argument);
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
