/** `weft network invite`: one line of text that lets its holder ask for admission. */
import { NodeError } from "../../../node/errors.ts";
import { createInviteText } from "../../../node/peer/operator.ts";
import { LIMITS } from "../../../protocol/limits.ts";
import type { Role } from "../../../protocol/membership/roles.ts";
import { jsonText } from "../../json.ts";
import { INVITE_SECONDS } from "../../membership-options.ts";
import { nowSeconds, operatorOf, type RosterFlags } from "../../roster-action.ts";
import { dateWords } from "../../statement-words.ts";
import { isRunning, readStatus } from "../../status-file.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export interface NetworkInviteOptions extends RosterFlags {
  readonly role?: Role;
  readonly uses?: number;
  /** Seconds. */
  readonly expires?: number;
  readonly bootstrap?: readonly string[];
}

export async function run(options: NetworkInviteOptions, terminal: Terminal): Promise<number> {
  const operator = await operatorOf(options, terminal);
  const addresses = [
    ...new Set([
      ...(options.bootstrap ?? []),
      ...(await ownAddresses(operator.dataDirectory)),
      ...operator.genesis.manifest.bootstrap,
    ]),
  ].slice(0, LIMITS.inviteAddressCountMax);
  if (addresses.length === 0) {
    const text =
      "an invite needs an address of a member to begin with; start this peer with weft run, or give --bootstrap";
    throw new NodeError("CONFIG_INVALID", text);
  }
  const { role = "trainer", uses = 1 } = options;
  const notAfter = nowSeconds() + (options.expires ?? INVITE_SECONDS);
  const invite = await createInviteText({ role, uses, notAfter, addresses }, operator);
  const many = uses === 1 ? "one peer" : `${uses} peers`;
  terminal.err(`admits ${many} as ${role}, until ${dateWords(notAfter)}, by way of ${addresses.join(" or ")}\n`);
  terminal.err("send it as you would send a password; it is shown only now. Its holder runs: weft join weft1…\n");
  terminal.out(options.json ? jsonText({ invite, role, uses, notAfter, addresses }) : `${invite}\n`);
  return EXIT_OK;
}

/** Where the running peer can be dialled. */
async function ownAddresses(folder: string): Promise<readonly string[]> {
  try {
    const status = await readStatus(folder);
    return isRunning(status) ? status.view.addresses : [];
  } catch (error) {
    if (error instanceof NodeError) return [];
    throw error;
  }
}
