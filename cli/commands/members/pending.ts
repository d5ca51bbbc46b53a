/** `weft members pending`: what waits for admins. */
import { counted, looksLike, type MembersAnswer, type Proposal } from "../../../node/index.ts";
import { labelText } from "../../../testnet/words/peer-name.ts";
import { statementWords } from "../../../testnet/words/statement-words.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { ROSTER_OPTIONS } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft members pending`, and what it runs. */
export const pendingMembersCommand: CommandRow = {
  name: ["members", "pending"],
  text: "Show the requests for admission, each with a fingerprint to compare by phone, and the other motions that wait for admins.",
  options: [
    { flags: "--declined", text: "also show motions that this peer has declined; members approve takes them up again" },
    ...ROSTER_OPTIONS,
  ],
  example: "weft members pending --data-dir alice",
  json: {
    motions: "what waits, each as weft members approve prints it, without isDecided",
  },
  run,
};

async function run(
  { declined = false, ...options }: RosterFlags & { readonly declined?: boolean },
  terminal: Terminal,
): Promise<number> {
  const { ask, membersOf, operatorOf } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  const { motions } = await ask(operator, { kind: "pending", declined });
  if (options.json) terminal.out(jsonText({ motions }));
  else if (motions.length === 0) terminal.out("nothing waits\n");
  else {
    const { members, labels = {} } = await membersOf(operator);
    terminal.out(`${motions.map((motion) => lines(motion, { members, labels })).join("\n")}\n`);
  }
  return EXIT_OK;
}

function lines(
  { id, statement, request, approvedBy, deniedBy, isDeclinedHere, threshold, endsQuorum }: Proposal,
  { members, labels }: Required<Pick<MembersAnswer, "members" | "labels">>,
): string {
  const isAlike = ({ label }: MembersAnswer["members"][number]): boolean =>
    request !== undefined && label !== undefined && looksLike(label, request.label);
  const alike = members
    .filter(isAlike)
    .map(({ peer, label = "" }) => `${peer}, a member, calls itself ${labelText(label)}`);
  const declined = deniedBy.length > 0 ? `, ${deniedBy.length} decline` : "";
  return [
    `${id.slice(0, 12)} ${statementWords(statement, labels)}`,
    ...(request
      ? [`  calls itself ${labelText(request.label)}; fingerprint ${request.fingerprint}, compare it by phone`]
      : []),
    ...alike.map((text) => `  CAREFUL ${text}`),
    `  ${approvedBy.length} of ${counted(threshold, "admin")} agree${declined}`,
    ...(endsQuorum ? ["  leaves too few admins to change anything; it is approved with --without-quorum only"] : []),
    ...(isDeclinedHere ? [`  declined here; weft members approve ${id.slice(0, 12)} takes that back`] : []),
  ].join("\n");
}
