/** `weft members pending`: what waits for admins. */
import type { Proposal } from "../../../node/membership/proposals.ts";
import { jsonText } from "../../json.ts";
import { ask, operatorOf, type RosterFlags } from "../../roster-action.ts";
import { statementWords } from "../../statement-words.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export async function run(
  { declined = false, ...options }: RosterFlags & { readonly declined?: boolean },
  terminal: Terminal,
): Promise<number> {
  const { motions } = await ask(await operatorOf(options, terminal), { kind: "pending", declined });
  if (options.json) terminal.out(jsonText({ motions }));
  else terminal.out(motions.length === 0 ? "nothing waits\n" : `${motions.map(lines).join("\n")}\n`);
  return EXIT_OK;
}

function lines({ id, statement, request, approvedBy, deniedBy, isDeclinedHere, threshold }: Proposal): string {
  const declined = deniedBy.length > 0 ? `, ${deniedBy.length} decline` : "";
  return [
    `${id.slice(0, 12)} ${statementWords(statement)}`,
    ...(request ? [`  calls itself "${request.label}"; fingerprint ${request.fingerprint}, compare it by phone`] : []),
    `  ${approvedBy.length} of ${threshold} admins agree${declined}`,
    ...(isDeclinedHere ? [`  declined here; weft members approve ${id.slice(0, 12)} takes that back`] : []),
  ].join("\n");
}
