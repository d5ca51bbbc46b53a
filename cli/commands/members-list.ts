/** `weft members list`: who is in the roster. */
import type { MembersAnswer } from "../../node/membership/roster-desk.ts";
import { describePolicy } from "../../protocol/membership/settings.ts";
import { textTable } from "../../testnet/text-table.ts";
import { jsonText } from "../json.ts";
import { membersOf, operatorOf, type RosterFlags } from "../roster-action.ts";
import { dateWords } from "../statement-words.ts";
import { EXIT_OK, type Terminal } from "../terminal.ts";

export async function run(options: RosterFlags, terminal: Terminal): Promise<number> {
  const answer = await membersOf(await operatorOf(options, terminal));
  terminal.out(options.json ? jsonText(answer) : `${lines(answer).join("\n")}\n`);
  return EXIT_OK;
}

const COLUMNS = ["peer", "role", "until", "state", ""].map((heading) => ({ heading, numeric: false }));

function lines({ self, members, removed, barred, policy, succession, entryCount, digest }: MembersAnswer): string[] {
  const rows = members.map(({ peer, role, notAfter, isFounder, standing, isConnected }) => [
    peer,
    role,
    isFounder ? "no end" : dateWords(notAfter),
    standing,
    [peer === self.peer && "this peer", isFounder && "founder", isConnected && "connected"].filter(Boolean).join(", "),
  ]);
  return [
    ...textTable(COLUMNS, rows),
    ...removed.map(({ peer, reason }) => `${peer} removed: ${reason}`),
    ...barred.map((peer) => `${peer} barred: it signed two different things under one number`),
    "",
    ...describePolicy(policy),
    ...(succession ? [`The network goes on as ${succession.network} from round ${succession.round} on.`] : []),
    `${entryCount} entries, digest ${digest.slice(0, 16)}: peers with the same digest have the same roster.`,
  ];
}
