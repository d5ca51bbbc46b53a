/** `weft members revoke`: proposing that somebody is no member any more. */
import type { RevokeReason } from "../../../protocol/membership/entry.ts";
import { REVOKE_REASONS } from "../../../protocol/membership/entry.ts";
import type { CommandRow } from "../../command-row.ts";
import { MOTION_JSON } from "../../json-shapes.ts";
import { choice } from "../../option-value.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { ALONE, MEMBER, ROSTER_OPTIONS, WITHOUT_QUORUM } from "../../shared-options.ts";
import type { Terminal } from "../../terminal.ts";

/** The row of `weft members revoke`, and what it runs. */
export const revokeMembersCommand: CommandRow = {
  name: ["members", "revoke"],
  text: "Propose to end a membership. Every member that hears the decision cuts the peer off at once. Nothing brings this key back.",
  argument: MEMBER,
  options: [
    {
      flags: "--reason <word>",
      text: `the reason, which every member can read: ${REVOKE_REASONS.join(", ")}`,
      parse: choice(REVOKE_REASONS),
      otherwise: "other",
    },
    WITHOUT_QUORUM,
    ALONE,
    ...ROSTER_OPTIONS,
  ],
  example: "weft members revoke 12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL --reason left --data-dir alice",
  json: MOTION_JSON,
  run,
};

async function run(
  options: RosterFlags & { readonly reason?: RevokeReason },
  terminal: Terminal,
  argument = "",
): Promise<number> {
  const { decide, operatorOf, peerNamed } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  const subject = await peerNamed(operator, argument);
  const statement = { kind: "revoke", subject, reason: options.reason ?? "other" } as const;
  return await decide(operator, { kind: "propose", statement }, options, terminal);
}
