/** The rows of `weft network`: making, signing and reading the file that a network agrees on. */
import { LIMITS } from "../protocol/limits.ts";
import { ROLES } from "../protocol/membership/roles.ts";
import type { CommandRow, OptionRow } from "./command-row.ts";
import { INVITE_SECONDS, MEMBERSHIP_OPTIONS } from "./membership-options.ts";
import { NETWORK_DEFAULTS, networkOptions } from "./network-options.ts";
import { choice, duration, formatDuration, integer, peerAddress } from "./option-value.ts";

const FILE = { name: "file", text: "a network's file: a manifest, or a genesis where there is a roster" };

/** Flags that these commands share with others. */
export interface NetworkCommandFlags {
  readonly model: OptionRow;
  readonly dataDir: OptionRow;
  readonly json: OptionRow;
}

export function networkCommands({ model, dataDir, json }: NetworkCommandFlags): readonly CommandRow[] {
  return [
    {
      name: ["network", "create"],
      text: "Write the manifest of a new network: everything that its peers agree on. Its hash is the network's id.",
      options: [
        { flags: "--name <name>", text: "name of the network, for people", otherwise: "weft" },
        { flags: "--out <file>", text: "where to write the manifest", otherwise: "network.json" },
        { flags: "--force", text: "overwrite --out, even where it holds another manifest" },
        model,
        ...networkOptions(NETWORK_DEFAULTS),
        ...MEMBERSHIP_OPTIONS,
        {
          flags: "--bootstrap <multiaddr>",
          text: "a peer that new ones may dial first, ending in /p2p/ID; may be repeated",
          parse: peerAddress,
          repeatable: true,
          otherwise: "none",
        },
        json,
      ],
      example: "weft network create --name poems --rounds 20 --out network.json",
      load: () => import("./commands/network/create.ts"),
    },
    {
      name: ["network", "sign"],
      text: "Add a founder's signature to a network's file, which is valid once as many admins have signed as its threshold says; or agree to go on under a successor's file.",
      argument: FILE,
      options: [
        { ...dataDir, text: "whose key signs" },
        {
          flags: "--add <file>",
          text: "add the signatures of another founder's copy, too; may be repeated",
          repeatable: true,
        },
        json,
      ],
      example: "weft network sign network.json --data-dir alice",
      load: () => import("./commands/network/sign.ts"),
    },
    {
      name: ["network", "invite"],
      text: "Print one line of text that lets its holder ask for admission. Admins only.",
      options: [
        { ...dataDir, text: "the admin's; the peer may run or not" },
        {
          flags: "--role <word>",
          text: `what it admits as: ${ROLES.join(", ")}`,
          parse: choice(ROLES),
          otherwise: "trainer",
        },
        {
          flags: "--uses <count>",
          text: "peers that it may admit in all",
          parse: integer(1, LIMITS.inviteUsesMax),
          otherwise: "1",
        },
        {
          flags: "--expires <time>",
          text: "until when somebody may ask by it, from now on, such as 48h",
          parse: duration(60, LIMITS.certificateSecondsMax),
          otherwise: formatDuration(INVITE_SECONDS),
        },
        {
          flags: "--bootstrap <multiaddr>",
          text: "a member whom its holder asks, ending in /p2p/ID; may be repeated",
          parse: peerAddress,
          repeatable: true,
          otherwise: "this peer where it runs, and those that the manifest names",
        },
        json,
      ],
      example: "weft network invite --role trainer --expires 48h --data-dir alice",
      load: () => import("./commands/network/invite.ts"),
    },
    {
      name: ["network", "propose"],
      text: "Write the manifest under which a network with a roster shall go on, and propose it; what no flag names stays as it is.",
      options: [
        { ...dataDir, text: "the admin's; the peer may run or not" },
        {
          flags: "--at-round <count>",
          text: "first round that is trained under it",
          parse: integer(1, LIMITS.roundCountMax),
        },
        { flags: "--out <file>", text: "where to write it, for the others to look at", otherwise: "successor.json" },
        { ...model, otherwise: "the embedded model, which must be the network's where --adapter is not given either" },
        ...networkOptions(NETWORK_DEFAULTS).map((row) => ({ ...row, otherwise: "as it is" })),
        json,
      ],
      example: "weft network propose --at-round 40 --rounds 80 --learning-rate 0.0005 --data-dir alice",
      load: () => import("./commands/network/propose.ts"),
    },
    {
      name: ["network", "show"],
      text: "Check a network's file and show its network id, what it says, and who has signed it.",
      argument: FILE,
      options: [json],
      example: "weft network show network.json",
      load: () => import("./commands/network/show.ts"),
    },
    {
      name: ["network", "verify"],
      text: "Check a network's file, its signatures and a local model against it; names every field that differs.",
      argument: FILE,
      options: [
        model,
        { flags: "--same-as <file>", text: "name the first field in which the network differs from another file's" },
        json,
      ],
      example: "weft network verify network.json --model models/smollm2-135m",
      load: () => import("./commands/network/verify.ts"),
    },
  ];
}
