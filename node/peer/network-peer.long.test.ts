/** Whole peers of a network with a roster: roles, an operator beside the running peer, a successor, and an end. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createGenesis, type Genesis, signGenesis } from "../../protocol/membership/genesis.ts";
import { POLICY_DEFAULTS } from "../../protocol/membership/settings.ts";
import { succeedingManifest } from "../../protocol/membership/succession.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { secretKeyOf, signerOf } from "../exchange/exchange.suite.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import type { ExampleSets } from "../interface/trainer.ts";
import { createNetwork, createSuccessor } from "../manifest/create-network.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { until } from "../system/network/transport.suite.ts";
import { type NetworkPeer, startNetworkPeer } from "./network-peer.ts";
import type { NetworkPeerOptions } from "./network-peer-options.ts";
import { operate } from "./operator.ts";

const modelDirectory = embeddedModelDirectory();
const adapter = {
  kind: "loreft",
  rank: 1,
  layers: [0],
  positions: { first: 1, last: 1, tied: true },
} as const;
const settings = {
  name: "consortium",
  modelDirectory,
  adapter,
  seed: 1,
  training: { batchSize: 1, maxTokens: 16 },
  rounds: { count: 8, localSteps: 1, deadlineMs: { min: 300, max: 3_000 } },
} as const;
const example = { tokens: [5, 6, 7, 8, 9, 10], promptLength: 3 };
const examples: ExampleSets = { train: [example], validation: [example], test: [example] };

const genesis: Genesis = signGenesis(
  createGenesis(
    createNetwork({
      ...settings,
      membership: {
        kind: "roster",
        founders: [
          { peer: signerOf(1).peer, role: "admin" as const },
          { peer: signerOf(2).peer, role: "observer" as const },
          { peer: signerOf(3).peer, role: "relay" as const },
          { peer: signerOf(4).peer, role: "trainer" as const },
        ].sort((a, b) => (a.peer < b.peer ? -1 : 1)),
        threshold: 1,
        policy: POLICY_DEFAULTS,
      },
    }),
  ),
  signerOf(1),
);

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Started {
  readonly peer: NetworkPeer;
  readonly events: PeerEvent[];
  readonly dataDirectory: string;
  readonly addresses: readonly string[];
}
async function start(seed: number, more: Partial<NetworkPeerOptions> = {}): Promise<Started> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "weft-peer-"));
  ends.push(() => rm(dataDirectory, { recursive: true }));
  await writeFile(dataDirectoryLayout(dataDirectory).key, secretKeyOf(seed), { mode: 0o600 });
  const events: PeerEvent[] = [];
  const peer = await startNetworkPeer({
    dataDirectory,
    manifest: genesis.manifest,
    genesis,
    modelDirectory,
    examples,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootstrap: [],
    compareAlone: false,
    engine: { threads: 1 },
    logLevel: "error",
    onEvent: (event) => void events.push(event),
    ...more,
  });
  ends.push(() => peer.stop());
  const started = events.find((event) => event.type === "started");
  return { peer, events, dataDirectory, addresses: started?.type === "started" ? started.addresses : [] };
}

test("each role does its part, an operator acts beside the peer, and the network ends where its successor begins", async () => {
  const [train, follow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  // No model where the relay is.
  const relay = await start(3, {
    modelDirectory: "/nowhere",
    reach: { network: networkId(genesis.manifest), relay: true },
  });
  const trainer = await start(1, { bootstrap: relay.addresses, startWhen: train.promise });
  const both = [...relay.addresses, ...trainer.addresses];
  const observer = await start(2, { bootstrap: both, startWhen: follow.promise });
  const hasTwo = ({ events }: Started) => events.some((event) => event.type === "neighbours" && event.connected === 2);
  await until(() => [relay, trainer, observer].every(hasTwo));
  const options = { dataDirectory: trainer.dataDirectory, genesis, timeoutMs: 60_000 };
  expect(await operate({ kind: "members" }, options)).toMatchObject({ self: { role: "admin" }, entryCount: 0 });
  const next = createSuccessor(genesis.manifest, { ...settings, seed: 2 }, 2);
  const done = await operate({ kind: "succeed", manifest: next }, options);
  expect(done).toMatchObject({ kind: "motion", isDecided: true });
  await until(() => [relay, trainer, observer].every(({ peer }) => peer.successor() !== undefined));
  expect(relay.peer.successor()).toEqual({ network: networkId(next), manifest: next, round: 2 });
  train.resolve();
  // However long the step takes: an observer's rounds wait for nobody longer than the deadline.
  await until(() => trainer.events.some(({ type }) => type === "published"));
  follow.resolve();
  const [trained, observed] = await Promise.all([trainer.peer.done, observer.peer.done]);
  expect(trained?.rounds.map(({ round }) => round)).toEqual([0, 1]);
  expect(observed?.rounds.length).toBe(2);
  expect(observed?.rounds.some(({ neighbours, lambda }) => neighbours === 1 && lambda === 1)).toBe(true);
  const count = (type: PeerEvent["type"]) =>
    [trainer, observer].map(({ events }) => events.filter((e) => e.type === type).length);
  expect(count("published")).toEqual([2, 0]);
  expect(count("step")).toEqual([2, 0]);
  expect(relay.events.at(-1)).not.toMatchObject({ type: "finished" });
}, 60_000);

test("a trainer without the next model keeps and hands on what the others train, and takes no part in rounds", async () => {
  const manifest = succeedingManifest(genesis.manifest, { rounds: { ...genesis.manifest.rounds, count: 3 } }, 2);
  const { tokenizer } = manifest.model.digest;
  const needs = [{ field: "model.digest.tokenizer", file: "tokenizer.json", expected: tokenizer }];
  const none = { train: [], validation: [], test: [] };
  const without = { manifest, lacks: { directory: "/nowhere", needs }, modelDirectory: "/nowhere", examples: none };
  const observer = await start(4, without);
  expect(observer.events).toContainEqual({ type: "observing", directory: "/nowhere", needs });
  const trainer = await start(1, { manifest, bootstrap: observer.addresses });
  const from = signerOf(1).peer;
  const heard = ({ events }: Started) =>
    events.some((event) => event.type === "update" && event.from === from && event.verdict === "accept");
  await until(() => heard(observer));
  // The author goes, and who comes later has its update all the same.
  await trainer.peer.stop();
  const late = await start(2, { ...without, bootstrap: observer.addresses });
  await until(() => heard(late));
  const own = [...observer.events, ...late.events].map(({ type }) => type);
  expect(own.filter((type) => ["step", "round", "published", "finished"].includes(type))).toEqual([]);
}, 60_000);

test("a peer that is no member, or may not relay, does not start, and says why", async () => {
  await expect(start(9)).rejects.toMatchObject({ facts: { problem: "stranger" } });
  const reach = { network: networkId(genesis.manifest), relay: true };
  await expect(start(2, { reach })).rejects.toMatchObject({
    message: expect.stringMatching(/^only a member with the role relay or admin may relay; this peer is [a-z]+$/),
    facts: { problem: "relay-without-role" },
  });
  await expect(start(1, { genesis: undefined as never })).rejects.toThrow("signed genesis");
});

test("a member that is removed while it runs stops with a reason", async () => {
  const startWhen = Promise.resolve();
  const admin = await start(1, { startWhen: new Promise(() => {}) });
  const relay = await start(3, { bootstrap: admin.addresses, startWhen, modelDirectory: "/nowhere" });
  await until(() => relay.events.some((event) => event.type === "neighbours" && event.connected === 1));
  const statement = { kind: "revoke", subject: signerOf(3).peer, reason: "left" } as const;
  await operate({ kind: "propose", statement }, { dataDirectory: admin.dataDirectory, genesis, timeoutMs: 60_000 });
  await expect(relay.peer.done).rejects.toMatchObject({ code: "MEMBERSHIP_ENDED" });
});
