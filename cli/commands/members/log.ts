/** `weft members log`: every entry of the roster. */

import { counted, type LogAnswer, membershipDoor } from "../../../node/index.ts";
import { dateWords, LOSS_WORDS, rebuiltWords, statementWords } from "../../../testnet/words/statement-words.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { ROSTER_OPTIONS, VERIFY } from "../../shared-options.ts";
import { EXIT_OK, EXIT_REFUSED, type Terminal } from "../../terminal.ts";

/** The row of `weft members log`, and what it runs. */
export const logMembersCommand: CommandRow = {
  name: ["members", "log"],
  text: "Show every entry of the roster, oldest first, with those that do not count and why.",
  options: [VERIFY, ...ROSTER_OPTIONS],
  example: "weft members log --verify --data-dir alice",
  json: {
    entries:
      "id, issuedAt, statement, signers, lost with the reason where an entry does not count, and fewerThan with the threshold of a policy of another branch that its signers do not reach",
    digest: "the same at peers with the same roster",
    "problems?": "with --verify: what is not valid",
    "isRight?": "with --verify: whether all is",
  },
  run,
};

async function run(options: RosterFlags & { readonly verify?: boolean }, terminal: Terminal): Promise<number> {
  const { verifyStoredRoster } = await membershipDoor();
  const { ask, labelsOf, operatorOf } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  const verification = options.verify ? await verifyStoredRoster(operator) : undefined;
  // What was verified is what is shown.
  const { entries, digest } = verification?.log ?? (await ask(operator, { kind: "log" }));
  const problems = verification?.problems ?? [];
  const code = problems.length === 0 ? EXIT_OK : EXIT_REFUSED;
  if (options.json) {
    terminal.out(jsonText({ entries, digest, ...(verification && { problems, isRight: problems.length === 0 }) }));
    return code;
  }
  const labels = await labelsOf(operator);
  for (const entry of entries) terminal.out(`${line(entry, labels)}\n`);
  for (const text of problems) terminal.out(`NOT VALID ${text}\n`);
  const end = verification === undefined ? "" : `: ${rebuiltWords(problems)}`;
  terminal.out(`${counted(entries.length, "entry", "entries")}, digest ${digest.slice(0, 16)}${end}\n`);
  return code;
}

function line(
  { id, issuedAt, statement, signers, lost, fewerThan }: LogAnswer["entries"][number],
  labels: Readonly<Record<string, string>>,
): string {
  const reason = lost === undefined ? "" : `; DOES NOT COUNT: ${LOSS_WORDS[lost]}`;
  const fewer = fewerThan === undefined ? "" : `, FEWER THAN THE ${fewerThan} of a policy that it does not follow`;
  return `${id.slice(0, 12)} ${dateWords(issuedAt)}: ${statementWords(statement, labels)}; signed by ${signers.length}${fewer}${reason}`;
}
