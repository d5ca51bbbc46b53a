/** `weft members pending`: what waits for admins. */
import type { Proposal } from "../../../node/index.ts";
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
  const { ask, operatorOf } = await import("../../roster-action.ts");
  const { motions } = await ask(await operatorOf(options, terminal), { kind: "pending", declined });
  if (options.json) terminal.out(jsonText({ motions }));
  else terminal.out(motions.length === 0 ? "nothing waits\n" : `${motions.map(lines).join("\n")}\n`);
  return EXIT_OK;
}

function lines({
  id,
  statement,
  request,
  approvedBy,
  deniedBy,
  isDeclinedHere,
  threshold,
  endsQuorum,
}: Proposal): string {
  const declined = deniedBy.length > 0 ? `, ${deniedBy.length} decline` : "";
  return [
    `${id.slice(0, 12)} ${statementWords(statement)}`,
    ...(request ? [`  calls itself "${request.label}"; fingerprint ${request.fingerprint}, compare it by phone`] : []),
    `  ${approvedBy.length} of ${threshold} admins agree${declined}`,
    ...(endsQuorum ? ["  leaves too few admins to change anything; it is approved with --without-quorum only"] : []),
    ...(isDeclinedHere ? [`  declined here; weft members approve ${id.slice(0, 12)} takes that back`] : []),
  ].join("\n");
}
