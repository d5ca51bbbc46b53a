/** `weft init`: the identity of a peer, and the flags that its runs follow. */

import { resolve } from "node:path";
import { ed25519 } from "@noble/curves/ed25519.js";
import { dataDirectoryLayout, type EngineOptions, keepNetwork, networkOf, recordDoor } from "../../../node/index.ts";
import { networkId } from "../../../protocol/network-manifest.ts";
import { peerIdFromPublicKey } from "../../../protocol/peer-id.ts";
import type { CommandRow } from "../../command-row.ts";
import { writeConfig } from "../../config-file.ts";
import { dataDirectory } from "../../data-directory.ts";
import { dataPath, templateArgument } from "../../data-options.ts";
import { engineConfig } from "../../engine-flags.ts";
import { jsonText } from "../../json.ts";
import type { ReachFlags } from "../../reach-options.ts";
import type { RunOptions } from "../../run-options.ts";
import { DATA_DIR, JSON_OUTPUT, PEER_OPTIONS } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft init`, and what it runs. */
export const initCommand: CommandRow = {
  name: ["init"],
  text: "Make a peer: its key, and a file of the flags that `weft run` follows.",
  options: [DATA_DIR, ...PEER_OPTIONS, JSON_OUTPUT],
  example: "weft init --data-dir alice --data alice.jsonl",
  json: {
    peer: "the peer's id",
    created: "whether it is new",
    dataDirectory: "where its files are",
    "network?": "id of the network that it was given",
  },
  run,
};

/** Values of the flags that a peer keeps. */
export type InitOptions = Pick<
  RunOptions,
  | "dataDir"
  | "network"
  | "model"
  | "data"
  | "columns"
  | "roles"
  | "charset"
  | "chatTemplate"
  | "split"
  | "part"
  | keyof ReachFlags
  | "bootstrap"
  | keyof EngineOptions
  | "json"
>;

async function run(options: InitOptions, terminal: Terminal): Promise<number> {
  const { readOrCreateKey } = await recordDoor();
  const folder = dataDirectory(options.dataDir, terminal.environment);
  const genesis = options.network === undefined ? undefined : await networkOf(options.network, folder);
  const { seed, created } = await readOrCreateKey(dataDirectoryLayout(folder).key);
  const peer = peerIdFromPublicKey(ed25519.getPublicKey(seed));
  if (genesis) await keepNetwork(genesis, folder);
  const network = genesis && networkId(genesis.manifest);
  const config = configOf(options);
  if (Object.keys(config).length > 0) {
    const path = await writeConfig(folder, config);
    terminal.err(`flags for weft run kept in ${path}\n`);
  }
  terminal.err(`${created ? "a new peer" : "this peer exists already"}; its files: ${folder}\n`);
  if (options.json) terminal.out(jsonText({ peer, created, dataDirectory: folder, ...(network && { network }) }));
  else terminal.out(`${peer}\n`);
  return EXIT_OK;
}

/** Flags by their long names; paths made absolute, because a later run may start elsewhere. */
export function configOf(options: InitOptions): Record<string, unknown> {
  const { model, data, split, part, bootstrap } = options;
  const { listen, port, announce, outboundOnly, relay, mdns, table, netRestrict } = options;
  const values = {
    model: model && resolve(model),
    data: data && dataPath(data),
    columns: options.columns,
    roles: options.roles,
    charset: options.charset,
    "chat-template": options.chatTemplate && templateArgument(options.chatTemplate),
    split,
    part: part && `${part.index + 1}/${part.count}`,
    listen,
    port,
    announce,
    "outbound-only": outboundOnly,
    relay,
    mdns,
    table,
    "net-restrict": netRestrict,
    bootstrap,
    ...engineConfig(options),
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
