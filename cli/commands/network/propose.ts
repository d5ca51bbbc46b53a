/** `weft network propose`: the manifest under which a network shall go on. */
import { resolve } from "node:path";
import { NodeError } from "../../../node/errors.ts";
import { networkOf, writeNetwork } from "../../../node/index.ts";
import { createSuccessor } from "../../../node/manifest/create-network.ts";
import { createGenesis } from "../../../protocol/membership/genesis.ts";
import { modelDirectory } from "../../model-directory.ts";
import { type NetworkOptions, networkSettings } from "../../network-options.ts";
import { decide, operatorOf, type RosterFlags } from "../../roster-action.ts";
import type { Terminal } from "../../terminal.ts";

export type NetworkProposeOptions = RosterFlags &
  NetworkOptions & {
    readonly atRound?: number;
    readonly model?: string;
    readonly out?: string;
  };

export async function run(options: NetworkProposeOptions, terminal: Terminal): Promise<number> {
  if (options.atRound === undefined) {
    throw new NodeError("CONFIG_INVALID", "say from which round on: --at-round COUNT, later than the peers are now");
  }
  const operator = await operatorOf(options, terminal);
  const { manifest: before } = await networkOf(undefined, operator.dataDirectory);
  const { training, rounds, aggregation, reference, seed, adapter, encoding = { values: "float32" } } = before;
  const settings = networkSettings(options, { training, rounds, aggregation, reference, seed, adapter, encoding });
  const head = options.head === undefined ? before.head : settings.head;
  const model = modelDirectory(options.model);
  const changes = { ...settings, modelDirectory: model, ...(head !== undefined && { head }) };
  const manifest = createSuccessor(before, changes, options.atRound);
  const file = resolve(options.out ?? "successor.json");
  await writeNetwork(file, createGenesis(manifest));
  terminal.err(
    `written to ${file}; the other admins look at it with weft network show and agree with weft network sign\n`,
  );
  return await decide(operator, { kind: "succeed", manifest }, options, terminal);
}
