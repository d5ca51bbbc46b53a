/** A peer as a program runs it: through a change of manifest, stopped, and refused. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGenesis, signGenesis } from "../../protocol/membership/genesis.ts";
import { POLICY_DEFAULTS } from "../../protocol/membership/settings.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { putKey, readSigner } from "../data-directory/key.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { createPeer, type ManifestAndModel, type Peer, type PeerNews } from "../index.ts";
import { createNetwork, createSuccessor } from "../manifest/create-network.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readOrCreateKey } from "../system/files/key-file.ts";
import { until } from "../system/network/transport.suite.ts";
import { operate } from "./operator.ts";

const modelDirectory = embeddedModelDirectory();
const settings = {
  name: "alone",
  modelDirectory,
  adapter: { kind: "loreft", rank: 1, layers: [0], positions: { first: 1, last: 1, tied: true } },
  seed: 1,
  training: { batchSize: 1, maxTokens: 16 },
  rounds: { count: 8, localSteps: 1, deadlineMs: { min: 300, max: 3_000 } },
} as const;
const example = { tokens: [5, 6, 7, 8, 9, 10], promptLength: 3 };
const sets = { train: [example], validation: [example], test: [example] };
const cut = { records: 0, promptTokens: 0, responseTokens: 0 };

let dataDirectory: string;
const peers: Peer[] = [];
beforeEach(async () => {
  dataDirectory = join(await mkdtemp(join(tmpdir(), "weft-session-")), "alice");
});
afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.stop();
  await rm(join(dataDirectory, ".."), { recursive: true });
});
const create = (...given: Parameters<typeof createPeer>): Peer => {
  const peer = createPeer(...given);
  peers.push(peer);
  return peer;
};

/** A network of one, whose only member may decide. */
async function foundNetwork() {
  await readOrCreateKey(dataDirectoryLayout(dataDirectory).key);
  const signer = await readSigner(dataDirectory);
  const founders = [{ peer: signer.peer, role: "admin" as const }];
  const membership = { kind: "roster", founders, threshold: 1, policy: POLICY_DEFAULTS } as const;
  return signGenesis(createGenesis(createNetwork({ ...settings, membership })), signer);
}

const keptManifest = async (): Promise<NetworkManifest> =>
  JSON.parse(await readFile(dataDirectoryLayout(dataDirectory).network, "utf8"));

test("one call lives through a change of manifest: it trains, goes over, goes on with what it had, and reports", async () => {
  const network = await foundNetwork();
  const begin = Promise.withResolvers<void>();
  const asked: ManifestAndModel[] = [];
  const peer = create({
    ...{ dataDirectory, network, startWhen: begin.promise, logLevel: "error" },
    data: async (underManifest) => {
      asked.push(underManifest);
      return { sets, cut };
    },
  });
  expect(peer.status()).toBeUndefined();
  const news: PeerNews[] = [];
  peer.events((event) => void news.push(event));
  await peer.start();
  await peer.start();
  expect(peer.status()?.manifest).toEqual(network.manifest);
  expect(peer.status()?.view).toMatchObject({ state: "training", roundsDone: 0 });

  const next = createSuccessor(network.manifest, { ...settings, rounds: { ...settings.rounds, count: 3 } }, 2);
  await operate({ kind: "succeed", manifest: next }, { dataDirectory, genesis: network, timeoutMs: 60_000 });
  begin.resolve();
  const report = await peer.done;
  expect(report?.rounds.map(({ round }) => round)).toEqual([0, 1, 2]);
  expect(asked).toEqual([network.manifest, next].map((manifest) => ({ manifest, modelDirectory })));
  expect(peer.status()?.manifest).toEqual(next);
  expect(await keptManifest()).toEqual(next);
  const of = <T extends PeerNews["type"]>(type: T) =>
    news.filter((event): event is Extract<PeerNews, { type: T }> => event.type === type);
  expect(of("started").map(({ round, resumed }) => [round, resumed])).toEqual([
    [0, false],
    [2, true],
  ]);
  expect(of("session")).toEqual([{ type: "session", step: "goes on", network: networkId(next), round: 2 }]);
  // All of it is closed by then.
  expect(await operate({ kind: "members" }, { dataDirectory, genesis: network, manifest: next })).toMatchObject({
    succession: { round: 2 },
  });
}, 60_000);

test("it can be stopped at any time, and says so; who no longer listens hears nothing", async () => {
  const network = createNetwork(settings);
  const data = async () => ({ sets, cut: { ...cut, records: 1, responseTokens: 4 } });
  const peer = create({ dataDirectory, network, data, startWhen: new Promise(() => {}), logLevel: "error" });
  const [all, some]: [PeerNews[], PeerNews[]] = [[], []];
  peer.events((event) => void all.push(event));
  const end = peer.events((event) => {
    some.push(event);
    end();
  });
  await peer.start();
  expect(some).toEqual([{ type: "session", step: "records cut", maxTokens: 16, cut: expect.anything() }]);
  expect(all.length).toBeGreaterThan(1);
  await peer.stop();
  await peer.stop();
  expect(await peer.done).toBeUndefined();
  expect(await keptManifest()).toEqual(network);
  // The same directory needs no network's file any more; one that is stopped before it begins has nothing to do.
  const again = create({ dataDirectory });
  await again.stop();
  await again.start();
  expect(await again.done).toBeUndefined();
});

test("after its last round it stays where it is asked to serve", async () => {
  const network = createNetwork({ ...settings, rounds: { ...settings.rounds, count: 1 } });
  const peer = create({ dataDirectory, network, data: async () => ({ sets, cut }), serve: true, logLevel: "error" });
  const news: PeerNews[] = [];
  peer.events((event) => void news.push(event));
  await peer.start();
  await until(() => news.some((event) => event.type === "session" && event.step === "serves"));
  await peer.stop();
  expect((await peer.done)?.rounds.length).toBe(1);
});

test("a start that is refused leaves nothing behind, and the peer's end tells why", async () => {
  const right = createNetwork(settings);
  const digest = { ...right.model.digest, weights: "0".repeat(64) };
  const network = { ...right, model: { ...right.model, digest } };
  const peer = create({ dataDirectory, network, data: async () => ({ sets, cut }) });
  await expect(peer.start()).rejects.toMatchObject({ code: "MODEL_MISMATCH" });
  await expect(peer.done).rejects.toMatchObject({ code: "MODEL_MISMATCH" });
  await peer.stop();
  expect(existsSync(dataDirectory)).toBe(false);
});

test("with a key that was restored alone it starts within a privacy budget only once what was spent before is stated", async () => {
  await putKey(dataDirectory, new Uint8Array(32).fill(3));
  const network = createNetwork(settings);
  const common = { dataDirectory, network, data: async () => ({ sets, cut }), startWhen: new Promise<void>(() => {}) };
  const privacy = { mode: "example", clip: 1, noise: 1, epsilon: 1000, delta: 1e-5 } as const;
  const refused = create({ ...common, privacy, logLevel: "error" });
  await expect(refused.start()).rejects.toMatchObject({
    code: "PRIVACY_BUDGET",
    facts: { problem: "budget-not-counted", mode: "example" },
  });
  const stated = create({ ...common, privacy: { ...privacy, earlier: 16 }, logLevel: "error" });
  const news: PeerNews[] = [];
  stated.events((event) => void news.push(event));
  await stated.start();
  const spent = news.flatMap((event) => (event.type === "privacy" ? [event.status.spent] : []))[0];
  expect(spent).toBeGreaterThan(1);
});

test.each(["its data are read", "its directory is open"])(
  "a start ends early when it is stopped while %s, and binds the directory to nothing",
  async (moment) => {
    const network = await foundNetwork();
    const { lock, network: kept } = dataDirectoryLayout(dataDirectory);
    const news: PeerNews[] = [];
    const peer = create({
      ...{ dataDirectory, network, logLevel: "error" },
      data: async () => {
        if (moment === "its data are read") void peer.stop();
        return { sets, cut };
      },
    });
    peer.events((event) => void news.push(event));
    const starting = peer.start();
    if (moment === "its directory is open") {
      await until(() => existsSync(lock));
      void peer.stop();
    }
    await starting;
    expect(await peer.done).toBeUndefined();
    expect(news.filter(({ type }) => type === "started")).toEqual([]);
    expect([lock, kept].map(existsSync)).toEqual([false, false]);
  },
);
