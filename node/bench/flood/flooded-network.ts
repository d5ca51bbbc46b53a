/** The network of a flood: an open one, or one with a roster whose admin is the peer that is attacked. */
import { join } from "node:path";
import { createGenesis, signGenesis } from "../../../protocol/membership/genesis.ts";
import { createInvite, inviteText } from "../../../protocol/membership/invite.ts";
import { POLICY_DEFAULTS } from "../../../protocol/membership/settings.ts";
import { type NetworkManifest, networkId } from "../../../protocol/network-manifest.ts";
import { readSigner } from "../../data-directory/key.ts";
import { dataDirectoryLayout } from "../../data-directory/layout.ts";
import { createNetwork } from "../../manifest/create-network.ts";
import { writeNetwork } from "../../peer/network-file.ts";
import { embeddedModelDirectory } from "../../system/files/embedded-model.ts";
import { readOrCreateKey } from "../../system/files/key-file.ts";
import { createNativeSigner } from "../../system/platform/ed25519.ts";

/** What the peers and the attacker know of it. */
export interface FloodedNetwork {
  readonly manifest: NetworkManifest;
  /** Key of the neighbour that behaves. */
  readonly honestSeed: Uint8Array;
  /** Of a network with a roster: an unused invite that got to strangers. */
  readonly invite: string | undefined;
}

const SETTINGS = {
  name: "flood",
  modelDirectory: embeddedModelDirectory(),
  adapter: { kind: "loreft", rank: 2, layers: [0], positions: { first: 2, last: 2, tied: true } },
  seed: 1,
  rounds: { count: 100_000, localSteps: 4, deadlineMs: { min: 500, max: 2_000 } },
  aggregation: { lambda: { mode: "fixed", value: 0.5 } },
} as const;

/** Write network.json of an open network into the folder. */
export async function openNetwork(folder: string): Promise<FloodedNetwork> {
  const genesis = createGenesis(createNetwork(SETTINGS));
  await writeNetwork(join(folder, "network.json"), genesis);
  return { manifest: genesis.manifest, honestSeed: crypto.getRandomValues(new Uint8Array(32)), invite: undefined };
}

/** The same with a roster: admin is the peer in `admin`, the peer in `trainer` trains with it. */
export async function rosterNetwork(
  folder: string,
  { admin, trainer }: { readonly admin: string; readonly trainer: string },
): Promise<FloodedNetwork> {
  for (const name of [admin, trainer]) await readOrCreateKey(dataDirectoryLayout(join(folder, name)).key);
  const honestSeed = crypto.getRandomValues(new Uint8Array(32));
  const signer = await readSigner(join(folder, admin));
  const trainers = [(await readSigner(join(folder, trainer))).peer, createNativeSigner(honestSeed).peer];
  const founders = [
    { peer: signer.peer, role: "admin" as const },
    ...trainers.map((peer) => ({ peer, role: "trainer" as const })),
  ];
  const membership = { kind: "roster", founders, threshold: 1, policy: POLICY_DEFAULTS } as const;
  const genesis = signGenesis(createGenesis(createNetwork({ ...SETTINGS, membership })), signer);
  await writeNetwork(join(folder, "network.json"), genesis);
  const secret = crypto.getRandomValues(new Uint8Array(16));
  const notAfter = Math.floor(Date.now() / 1000) + 86_400;
  const terms = {
    networkId: networkId(genesis.manifest),
    role: "trainer",
    uses: 1,
    notAfter,
    addresses: [],
    secret,
  } as const;
  return { manifest: genesis.manifest, honestSeed, invite: inviteText(createInvite(terms, signer)) };
}
