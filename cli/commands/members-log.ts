/** `weft members log`: every entry of the roster. */
import type { LogAnswer } from "../../node/membership/roster-desk.ts";
import { verifyStoredRoster } from "../../node/operator.ts";
import { jsonText } from "../json.ts";
import { ask, operatorOf, type RosterFlags } from "../roster-action.ts";
import { dateWords, LOSS_WORDS, statementWords } from "../statement-words.ts";
import { EXIT_OK, EXIT_REFUSED, type Terminal } from "../terminal.ts";

export async function run(options: RosterFlags & { readonly verify?: boolean }, terminal: Terminal): Promise<number> {
  const operator = await operatorOf(options, terminal);
  const verification = options.verify ? await verifyStoredRoster(operator) : undefined;
  const log = await ask(operator, { kind: "log" });
  const isRight =
    verification === undefined || (verification.refused.length === 0 && verification.digest === log.digest);
  if (options.json) {
    const { entries, digest } = log;
    terminal.out(jsonText({ entries, digest, ...(verification && { verification, isRight }) }));
    return isRight ? EXIT_OK : EXIT_REFUSED;
  }
  for (const entry of log.entries) terminal.out(`${line(entry)}\n`);
  for (const text of verification?.refused ?? []) terminal.out(`NOT VALID ${text}\n`);
  const rebuilt = isRight ? "rebuilt from the genesis alone, every signature checked" : "DIFFERENT when rebuilt";
  const end = verification === undefined ? "" : `: ${rebuilt}`;
  terminal.out(`${log.entries.length} entries, digest ${log.digest.slice(0, 16)}${end}\n`);
  return isRight ? EXIT_OK : EXIT_REFUSED;
}

function line({ id, issuedAt, statement, signers, lost }: LogAnswer["entries"][number]): string {
  const reason = lost === undefined ? "" : `; DOES NOT COUNT: ${LOSS_WORDS[lost]}`;
  return `${id.slice(0, 12)} ${dateWords(issuedAt)}: ${statementWords(statement)}; signed by ${signers.length}${reason}`;
}
