/** `weft network invite`: one line of text that lets its holder ask for admission. */

import { counted, membershipDoor, NodeError } from "../../../node/index.ts";
import { LIMITS } from "../../../protocol/limits.ts";
import type { Role } from "../../../protocol/membership/roles.ts";
import { ROLES } from "../../../protocol/membership/roles.ts";
import { dateWords } from "../../../testnet/words/statement-words.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { INVITE_SECONDS } from "../../membership-options.ts";
import { choice, duration, formatDuration, integer, peerAddress } from "../../option-value.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { DATA_DIR, JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft network invite`, and what it runs. */
export const inviteNetworkCommand: CommandRow = {
  name: ["network", "invite"],
  text: "Print an invite: one line of text with which a peer asks for admission. Only an admin can.",
  options: [
    { ...DATA_DIR, text: "data directory of the admin; its peer may run or not" },
    {
      flags: "--role <word>",
      text: `role of the peers that it admits: ${ROLES.join(", ")}`,
      parse: choice(ROLES),
      otherwise: "trainer",
    },
    {
      flags: "--uses <count>",
      text: "number of peers that it admits in all",
      parse: integer(1, LIMITS.inviteUsesMax),
      otherwise: "1",
    },
    {
      flags: "--expires <time>",
      text: "time for which the invite is valid, such as 48h",
      parse: duration(60, LIMITS.certificateSecondsMax),
      otherwise: formatDuration(INVITE_SECONDS),
    },
    {
      flags: "--bootstrap <multiaddr>",
      text: "address of a member that the new peer asks, ending in /p2p/ID; may be repeated",
      parse: peerAddress,
      repeatable: true,
      otherwise: "this peer where it runs, and those that the manifest names",
    },
    JSON_OUTPUT,
  ],
  example: "weft network invite --role trainer --expires 48h --data-dir alice",
  json: {
    invite: "the invite: as secret as a password",
    role: "role that it gives",
    uses: "number of peers that it admits",
    notAfter: "its end, in seconds since 1970",
    addresses: "whom the new peer asks",
  },
  run,
};

interface NetworkInviteOptions extends RosterFlags {
  readonly role?: Role;
  readonly uses?: number;
  /** Seconds. */
  readonly expires?: number;
  readonly bootstrap?: readonly string[];
}

async function run(options: NetworkInviteOptions, terminal: Terminal): Promise<number> {
  const { createInviteText } = await membershipDoor();
  const { nowSeconds, operatorOf } = await import("../../roster-action.ts");
  const operator = await operatorOf(options, terminal);
  const addresses = [
    ...new Set([
      ...(options.bootstrap ?? []),
      ...(await ownAddresses(operator.dataDirectory)),
      ...operator.genesis.manifest.bootstrap,
    ]),
  ].slice(0, LIMITS.inviteAddressCountMax);
  if (addresses.length === 0) {
    const text = "an invite needs the address of a member; start this peer with weft run, or give --bootstrap";
    throw new NodeError("CONFIG_INVALID", text);
  }
  const { role = "trainer", uses = 1 } = options;
  const notAfter = nowSeconds() + (options.expires ?? INVITE_SECONDS);
  const invite = await createInviteText({ role, uses, notAfter, addresses }, operator);
  const many = uses === 1 ? "one peer" : counted(uses, "peer");
  terminal.err(`admits ${many} as ${role}, until ${dateWords(notAfter)}, by way of ${addresses.join(" or ")}\n`);
  terminal.err(
    "send it as you would send a password; it is shown only now. The new peer keeps it in a file and runs: weft join --invite-file FILE\n",
  );
  terminal.out(options.json ? jsonText({ invite, role, uses, notAfter, addresses }) : `${invite}\n`);
  return EXIT_OK;
}

/** Where the running peer can be dialled. */
async function ownAddresses(folder: string): Promise<readonly string[]> {
  const { isRunning, readStatus } = await import("../../status-file.ts");
  try {
    const status = await readStatus(folder);
    return isRunning(status) ? status.view.addresses : [];
  } catch (error) {
    if (error instanceof NodeError) return [];
    throw error;
  }
}
