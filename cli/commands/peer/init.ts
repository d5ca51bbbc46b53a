/** `weft init`: the identity of a peer, and the flags that its runs follow. */

import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { ed25519 } from "@noble/curves/ed25519.js";
import { type EngineOptions, keepNetwork, networkOf, recordDoor, shellWord } from "../../../node/index.ts";
import { networkId } from "../../../protocol/network-manifest.ts";
import { peerIdFromPublicKey } from "../../../protocol/peer-id.ts";
import type { CommandRow } from "../../command-row.ts";
import { readConfigFile, writeConfig } from "../../config-file.ts";
import { dataDirectory } from "../../data-directory.ts";
import { dataPath, templateArgument } from "../../data-options.ts";
import { engineConfig } from "../../engine-flags.ts";
import { askInit, type GivenFlags, type InitAnswers, mayAsk } from "../../init-questions.ts";
import { jsonText } from "../../json.ts";
import type { ReachFlags } from "../../reach-options.ts";
import type { RunOptions } from "../../run-options.ts";
import { DATA_DIR, JSON_OUTPUT, PEER_OPTIONS } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft init`, and what it runs. */
export const initCommand: CommandRow = {
  name: ["init"],
  text: "Make a peer: its key, and a file of the flags that `weft run` follows. At a terminal, without --model, --data and --network, it asks for them.",
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

async function run(given: InitOptions, terminal: Terminal): Promise<number> {
  if (!mayAsk(given, terminal)) return await make(given, terminal, {});
  const answers = await askInit(terminal);
  const { model, data, newNetwork } = answers;
  if (newNetwork) await found(newNetwork, { model, data, terminal });
  const network = answers.network ?? newNetwork?.out;
  const asked = { ...(model !== undefined && { model }), ...(data !== undefined && { data }) };
  return await make({ ...given, ...asked, ...(network !== undefined && { network }) }, terminal, answers);
}

/** The network that the person founds, as weft network create makes it. */
async function found(
  { name, out }: NonNullable<InitAnswers["newNetwork"]>,
  { model, data, terminal }: Pick<GivenFlags, "model" | "data"> & { readonly terminal: Terminal },
): Promise<void> {
  const { createNetworkCommand } = await import("../network/create.ts");
  const flags = {
    name,
    out,
    ...(model !== undefined && { model }),
    ...(data !== undefined && data !== "embedded" && { data }),
  };
  // The peer's id is what this command prints.
  await createNetworkCommand.run(flags, { ...terminal, out: () => undefined }, undefined);
}

async function make(options: InitOptions, terminal: Terminal, answers: InitAnswers): Promise<number> {
  const { readOrMakeKey } = await recordDoor();
  const folder = dataDirectory(options.dataDir, terminal.environment);
  const genesis = options.network === undefined ? undefined : await networkOf(options.network, folder);
  // What is wrong with the flags that are there already is said before anything is made.
  await readConfigFile(undefined, folder);
  const { seed, created } = await readOrMakeKey(folder);
  const peer = peerIdFromPublicKey(ed25519.getPublicKey(seed));
  if (genesis) await keepNetwork(genesis, folder);
  const network = genesis && networkId(genesis.manifest);
  const config = configOf(options);
  if (Object.keys(config).length > 0) {
    const path = await writeConfig(folder, config);
    terminal.err(`flags for weft run kept in ${path}\n`);
    for (const missing of missingPaths(config)) terminal.err(`there is no ${missing} yet; weft run will need it\n`);
  }
  terminal.err(`${created ? "a new peer" : "this peer exists already"}; its files: ${folder}\n`);
  for (const line of nextSteps(options, { ...answers, hasNetwork: network !== undefined })) terminal.err(`${line}\n`);
  if (options.json) terminal.out(jsonText({ peer, created, dataDirectory: folder, ...(network && { network }) }));
  else terminal.out(`${peer}\n`);
  return EXIT_OK;
}

/** Files and folders that flags name and that are not there: a mistyped path, or one that comes later. */
function missingPaths({ model, data }: Readonly<Record<string, unknown>>): readonly string[] {
  const isPath = (value: unknown): value is string => typeof value === "string" && isAbsolute(value);
  return [model, data].filter(isPath).filter((path) => !existsSync(path));
}

/** The commands that come next, by what is there already. */
function nextSteps(
  { dataDir }: InitOptions,
  { newNetwork, hasInvite, hasNetwork }: InitAnswers & { readonly hasNetwork: boolean },
): readonly string[] {
  const where = dataDir === undefined ? "" : ` --data-dir ${shellWord(dataDir)}`;
  if (hasInvite) return [`next: weft join --invite-file FILE${where}`];
  if (!hasNetwork) return [`next: weft run --network FILE${where}, or weft join --invite-file FILE${where}`];
  const give = newNetwork ? [`give ${newNetwork.out} to every peer that is to take part`] : [];
  return [...give, `next: weft run${where}; weft status${where} shows how it fares`];
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
