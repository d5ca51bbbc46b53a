/** `weft keys rotate`: a new key for a member, in two parts: it is proposed, and begins to be used once admins agreed. */
import { adoptNextKey, nextKeyOf } from "../../../node/peer/key-rotation.ts";
import { jsonText } from "../../json.ts";
import { decide, membersOf, operatorOf, type RosterFlags } from "../../roster-action.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export async function run(options: RosterFlags, terminal: Terminal): Promise<number> {
  const operator = await operatorOf(options, terminal);
  const { peer, file } = await nextKeyOf(operator.dataDirectory);
  const { removed, self } = await membersOf(operator);
  const isAgreed = removed.some((one) => one.peer === self.peer && one.successor === peer);
  if (!isAgreed) {
    terminal.err(`the new key is ${peer}; once admins have approved, stop this peer and run weft keys rotate again\n`);
    return await decide(operator, { kind: "rotate", keyFile: file }, options, terminal);
  }
  await adoptNextKey(operator.dataDirectory);
  terminal.err(`${self.peer} is no member any more, and its key was deleted\n`);
  terminal.out(options.json ? jsonText({ peer, replaces: self.peer }) : `${peer}\n`);
  return EXIT_OK;
}
