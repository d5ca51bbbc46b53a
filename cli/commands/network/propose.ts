/** `weft network propose`: the manifest under which a network shall go on. */

import { resolve } from "node:path";
import { NodeError, networkDoor, networkOf, writeNetwork } from "../../../node/index.ts";
import { LIMITS } from "../../../protocol/limits.ts";
import { createGenesis } from "../../../protocol/membership/genesis.ts";
import type { BaseForm } from "../../../protocol/network-manifest.ts";
import type { CommandRow } from "../../command-row.ts";
import { CHAT_TEMPLATE, templateArgument } from "../../data-options.ts";
import { MOTION_JSON } from "../../json-shapes.ts";
import { modelDirectory } from "../../model-directory.ts";
import { NETWORK_DEFAULTS, type NetworkOptions, networkOptions, networkSettings } from "../../network-options.ts";
import { integer } from "../../option-value.ts";
import type { RosterFlags } from "../../roster-action.ts";
import { AGREED_BASE, DATA_DIR, JSON_OUTPUT, MODEL } from "../../shared-options.ts";
import type { Terminal } from "../../terminal.ts";

/** The row of `weft network propose`, and what it runs. */
export const proposeNetworkCommand: CommandRow = {
  name: ["network", "propose"],
  text: "Propose a new manifest for a network with a roster, and write it to a file. A setting that no flag names stays as it is.",
  options: [
    { ...DATA_DIR, text: "data directory of the admin; its peer may run or not" },
    {
      flags: "--at-round <count>",
      text: "first round under it",
      parse: integer(1, LIMITS.roundCountMax),
    },
    { flags: "--out <file>", text: "file for it, for the other admins to read", otherwise: "successor.json" },
    { ...MODEL, otherwise: "the embedded model; without --adapter it must be the network's" },
    ...[...networkOptions(NETWORK_DEFAULTS), CHAT_TEMPLATE, AGREED_BASE].map((row) => ({
      ...row,
      otherwise: "as it is",
    })),
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft network propose --at-round 40 --rounds 80 --learning-rate 0.0005 --data-dir alice",
  json: MOTION_JSON,
  run,
};

type NetworkProposeOptions = RosterFlags &
  NetworkOptions & {
    readonly atRound?: number;
    readonly model?: string;
    readonly chatTemplate?: string;
    readonly base?: BaseForm;
    readonly out?: string;
  };

async function run(options: NetworkProposeOptions, terminal: Terminal): Promise<number> {
  const { createSuccessor } = await networkDoor();
  const { decide, operatorOf } = await import("../../roster-action.ts");
  if (options.atRound === undefined) {
    throw new NodeError(
      "CONFIG_INVALID",
      "give --at-round COUNT, the first round under the new manifest; it must be later than the peers are now",
    );
  }
  const operator = await operatorOf(options, terminal);
  const { manifest: before } = await networkOf(undefined, operator.dataDirectory);
  const { training, rounds, aggregation, reference, seed, adapter, encoding = { values: "float32" } } = before;
  const settings = networkSettings(options, { training, rounds, aggregation, reference, seed, adapter, encoding });
  const head = options.head === undefined ? before.head : settings.head;
  const model = modelDirectory(options.model);
  const chatTemplate = options.chatTemplate && templateArgument(options.chatTemplate);
  const changes = {
    ...{ ...settings, modelDirectory: model },
    ...(head !== undefined && { head }),
    ...(chatTemplate !== undefined && { chatTemplate }),
    ...(options.base !== undefined && { base: options.base }),
  };
  const manifest = createSuccessor(before, changes, options.atRound);
  const file = resolve(options.out ?? "successor.json");
  await writeNetwork(file, createGenesis(manifest));
  terminal.err(
    `written to ${file}; the other admins read it with weft network show and agree with weft network sign\n`,
  );
  return await decide(operator, { kind: "succeed", manifest }, options, terminal);
}
