/** `weft keys rotate`: a new key for a member, in two parts: it is proposed, and begins to be used once admins agreed. */
import { membershipDoor } from "../../../node/index.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { MOTION_JSON, optional } from "../../json-shapes.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { ALONE, DATA_DIR, JSON_OUTPUT, WITHOUT_QUORUM } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft keys rotate`, and what it runs. */
export const rotateKeysCommand: CommandRow = {
  name: ["keys", "rotate"],
  text: "Give this peer's membership to a new key. The first run proposes it. Once the admins have approved, a second run puts the new key in place.",
  options: [
    { ...DATA_DIR, text: "data directory of the peer; the peer runs during the first run and not during the second" },
    WITHOUT_QUORUM,
    ALONE,
    JSON_OUTPUT,
  ],
  example: "weft keys rotate --data-dir alice",
  json: {
    ...optional(MOTION_JSON),
    "peer?": "once it is agreed to: the new key's peer id",
    "replaces?": "the id that is no member any more",
  },
  run,
};

async function run(options: RosterFlags, terminal: Terminal): Promise<number> {
  const { adoptNextKey, nextKeyOf } = await membershipDoor();
  const { decide, membersOf, operatorOf } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  const { peer, file } = await nextKeyOf(operator.dataDirectory);
  const { removed, self } = await membersOf(operator);
  const isAgreed = removed.some((one) => one.peer === self.peer && one.successor === peer);
  if (!isAgreed) {
    const code = await decide(operator, { kind: "rotate", keyFile: file }, options, terminal);
    terminal.err(`the new key is ${peer}; once admins have approved, stop this peer and run weft keys rotate again\n`);
    return code;
  }
  await adoptNextKey(operator.dataDirectory);
  terminal.err(`${self.peer} is no member any more, and its key was deleted\n`);
  terminal.out(options.json ? jsonText({ peer, replaces: self.peer }) : `${peer}\n`);
  return EXIT_OK;
}
