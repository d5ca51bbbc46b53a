/** `weft members list`: who is in the roster. */

import { counted, type MembersAnswer, membershipDoor } from "../../../node/index.ts";
import { describePolicy } from "../../../protocol/membership/settings.ts";
import { endingWords } from "../../../testnet/words/live-view.ts";
import { labelText, wholeName } from "../../../testnet/words/peer-name.ts";
import { dateWords, rebuiltWords } from "../../../testnet/words/statement-words.ts";
import { textTable } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { ROSTER_OPTIONS, VERIFY } from "../../shared-options.ts";
import { EXIT_OK, EXIT_REFUSED, type Terminal } from "../../terminal.ts";

/** The row of `weft members list`, and what it runs. */
export const listMembersCommand: CommandRow = {
  name: ["members", "list"],
  text: "Show the members with their roles and their ends, the removed ones, and the policy, as far as this peer has heard.",
  options: [VERIFY, ...ROSTER_OPTIONS],
  example: "weft members list --data-dir alice",
  json: {
    kind: "members",
    self: "id, role and standing of this peer",
    network: "the roster's network id",
    members:
      "peer, role, notBefore, notAfter, isFounder, standing and isConnected of each, and label where this peer saw its request",
    removed: "who is no member any more, and why",
    barred: "who signed two things under one number",
    "labels?": "by their ids, what these called themselves; absent of a running peer of an older version",
    policy: "rules of the roster",
    admins: "ids of the admins",
    quorum: "admins, threshold, and endsAt where too few are left at some time",
    "succession?": "the network that this one goes on as",
    heads: "ids of the newest entries",
    entryCount: "number of entries",
    digest: "the same at peers with the same roster",
    "problems?": "with --verify: what is not valid",
    "isRight?": "with --verify: whether all is",
  },
  run,
};

async function run(options: RosterFlags & { readonly verify?: boolean }, terminal: Terminal): Promise<number> {
  const { verifyMembers } = await membershipDoor();
  const { membersOf, operatorOf } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  if (!options.verify) {
    const answer = await membersOf(operator);
    terminal.out(options.json ? jsonText(answer) : `${lines(answer).join("\n")}\n`);
    return EXIT_OK;
  }
  const { answer, problems } = await verifyMembers(() => membersOf(operator), operator);
  if (options.json) terminal.out(jsonText({ ...answer, problems, isRight: problems.length === 0 }));
  else {
    const found = problems.map((text) => `NOT VALID ${text}`);
    terminal.out(`${[...lines(answer), ...found, `Entries: ${rebuiltWords(problems)}.`].join("\n")}\n`);
  }
  return problems.length === 0 ? EXIT_OK : EXIT_REFUSED;
}

const COLUMNS = ["peer", "calls itself", "role", "until", "state", ""].map((heading) => ({ heading, numeric: false }));

/** A quorum that no end is known of says nothing, but for one that can spare nobody. */
function quorumLines({ admins, threshold, endsAt }: MembersAnswer["quorum"]): readonly string[] {
  if (endsAt !== undefined) return [`WARNING ${endingWords("quorum", endsAt)}`];
  return admins === threshold ? ["None of the admins can be spared: without one of them nothing can be changed."] : [];
}

function lines({
  self,
  members,
  removed,
  barred,
  labels = {},
  policy,
  quorum,
  succession,
  entryCount,
  digest,
}: MembersAnswer): string[] {
  const rows = members.map(({ peer, role, notAfter, isFounder, standing, isConnected, label }) => [
    peer,
    label === undefined ? "–" : labelText(label),
    role,
    isFounder ? "no end" : dateWords(notAfter),
    standing,
    [peer === self.peer && "this peer", isFounder && "founder", isConnected && "connected"].filter(Boolean).join(", "),
  ]);
  return [
    ...textTable(COLUMNS, rows),
    ...removed.map(({ peer, reason }) => `${wholeName(peer, labels[peer])} removed: ${reason}`),
    ...barred.map((peer) => `${wholeName(peer, labels[peer])} barred: it signed two different things under one number`),
    "",
    ...describePolicy(policy),
    ...quorumLines(quorum),
    ...(succession ? [`The network goes on as ${succession.network} from round ${succession.round} on.`] : []),
    `${counted(entryCount, "entry", "entries")}, digest ${digest.slice(0, 16)}: peers with the same digest have the same roster.`,
  ];
}
