/** The rows of `weft members`: who takes part in a network with a roster, and deciding about it. */
import { LIMITS } from "../protocol/limits.ts";
import { REVOKE_REASONS } from "../protocol/membership/entry.ts";
import { ROLES } from "../protocol/membership/roles.ts";
import type { CommandRow, OptionRow } from "./command-row.ts";
import { POLICY_OPTIONS } from "./membership-options.ts";
import { choice, duration, momentOrDuration } from "./option-value.ts";

const MOTION = {
  name: "motion",
  text: "its name from weft members pending, at least 8 characters of it, or the peer id of who asks",
};
const VERIFY = {
  flags: "--verify",
  text: "rebuild the roster here from the genesis and the stored entries alone, every signature checked",
};
const PEER = { name: "peer", text: "a peer id, as weft members list prints it" };

export function membersCommands({
  dataDir,
  json,
}: Readonly<Record<"dataDir" | "json", OptionRow>>): readonly CommandRow[] {
  const options = [{ ...dataDir, text: "whose roster; the peer may run or not" }, json];
  return [
    {
      name: ["members", "list"],
      text: "Show who is a member, as what and until when, who was removed, and the policy, as far as this peer has heard.",
      options: [VERIFY, ...options],
      example: "weft members list --data-dir alice",
      load: () => import("./commands/members/list.ts"),
    },
    {
      name: ["members", "pending"],
      text: "Show who asks to be admitted, with a fingerprint to compare by phone, and what else waits for admins.",
      options: [
        { flags: "--declined", text: "also what this peer has declined and members approve would take up again" },
        ...options,
      ],
      example: "weft members pending --data-dir alice",
      load: () => import("./commands/members/pending.ts"),
    },
    {
      name: ["members", "approve"],
      text: "Agree to what is pending, or was declined here before; it holds once as many admins have agreed as the policy asks for.",
      argument: MOTION,
      options,
      example: "weft members approve 3f9a01c2d4e5 --data-dir alice",
      load: () => import("./commands/members/approve.ts"),
    },
    {
      name: ["members", "deny"],
      text: "Decline a request or another motion; other admins may still decide it.",
      argument: MOTION,
      options,
      example: "weft members deny 3f9a01c2d4e5 --data-dir alice",
      load: () => import("./commands/members/deny.ts"),
    },
    {
      name: ["members", "revoke"],
      text: "Propose to end a membership; who has heard cuts the peer off at once, and no later entry undoes it for this key.",
      argument: PEER,
      options: [
        {
          flags: "--reason <word>",
          text: `why, for everybody to read: ${REVOKE_REASONS.join(", ")}`,
          parse: choice(REVOKE_REASONS),
          otherwise: "other",
        },
        ...options,
      ],
      example:
        "weft members revoke 12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL --reason left --data-dir alice",
      load: () => import("./commands/members/revoke.ts"),
    },
    {
      name: ["members", "promote"],
      text: "Propose another role for a member, or a membership that lasts longer.",
      argument: PEER,
      options: [
        { flags: "--role <word>", text: ROLES.join(", "), parse: choice(ROLES), otherwise: "the one it has" },
        {
          flags: "--lasts <time>",
          text: "how long from now on, such as 30d",
          parse: duration(60, LIMITS.certificateSecondsMax),
          otherwise: "as long as the policy allows",
        },
        ...options,
      ],
      example:
        "weft members promote 12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL --role admin --data-dir alice",
      load: () => import("./commands/members/promote.ts"),
    },
    {
      name: ["members", "expire"],
      text: "Propose that a membership ends at a time; unlike a revocation it can be made longer again.",
      argument: PEER,
      options: [
        {
          flags: "--at <time>",
          text: "when: a date in UTC, such as 2027-03-31 or 2027-03-31T18:00, or how long from now on, such as 30d",
          parse: momentOrDuration(LIMITS.certificateSecondsMax),
          otherwise: "now, and five minutes that clocks may be apart",
        },
        ...options,
      ],
      example: "weft members expire 12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL --at 30d --data-dir alice",
      load: () => import("./commands/members/expire.ts"),
    },
    {
      name: ["members", "policy"],
      text: "Propose another policy; what no flag names stays as it is.",
      options: [...POLICY_OPTIONS.map((row) => ({ ...row, otherwise: "as it is" })), ...options],
      example: "weft members policy --threshold 3 --data-dir alice",
      load: () => import("./commands/members/policy.ts"),
    },
    {
      name: ["members", "log"],
      text: "Show every entry of the roster, oldest first, and those that lost to others.",
      options: [VERIFY, ...options],
      example: "weft members log --verify --data-dir alice",
      load: () => import("./commands/members/log.ts"),
    },
  ];
}
