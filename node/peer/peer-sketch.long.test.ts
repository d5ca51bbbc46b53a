/** Two whole peers of a network that weighs by data sets: real training, libp2p on the loopback, files. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { MANIFEST_DEFAULTS, networkId } from "../../protocol/network-manifest.ts";
import { readSketch } from "../../protocol/sketch.ts";
import { expectBounded } from "../data-directory/file-bounds.suite.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import type { ExampleSets } from "../interface/trainer.ts";
import { createNetwork } from "../manifest/create-network.ts";
import { epsilonOf } from "../privacy/accountant.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { openStore } from "../system/files/store.ts";
import { until } from "../system/network/transport.suite.ts";
import { type NetworkPeer, startNetworkPeer } from "./network-peer.ts";

const modelDirectory = embeddedModelDirectory();
const manifest = createNetwork({
  name: "alike",
  modelDirectory,
  adapter: { kind: "tri-lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: [0], basis: "shared" },
  seed: 1,
  training: { ...MANIFEST_DEFAULTS.training, batchSize: 1, maxTokens: 16 },
  rounds: { count: 2, localSteps: 1, deadlineMs: { min: 300, max: 20_000 } },
  aggregation: {
    ...MANIFEST_DEFAULTS.aggregation,
    lambda: { mode: "fixed", value: 0.5 },
    weights: { kind: "similarity", temperature: 0.1, data: { share: 0.5, temperature: 0.3 } },
  },
  bootstrap: [],
});
const privacy = { mode: "example", clip: 1, noise: 4, epsilon: 50, delta: 1e-5 } as const;
const NOISE = 2;

const setsOf = (first: number): ExampleSets => {
  const examples = Array.from({ length: 12 }, (_, i) => ({
    tokens: [first, 6 + (i % 5), 7, 8 + i, 9, 10],
    promptLength: 3,
  }));
  return { train: examples, validation: examples.slice(0, 2), test: examples.slice(0, 2) };
};

const folders: string[] = [];
const running: NetworkPeer[] = [];
afterAll(async () => {
  for (const peer of running) await peer.stop();
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function start(
  first: number,
  more: { bootstrap?: readonly string[]; dataDirectory?: string; startWhen?: Promise<void> },
) {
  const dataDirectory = more.dataDirectory ?? (await mkdtemp(join(tmpdir(), "weft-alike-")));
  if (more.dataDirectory === undefined) folders.push(dataDirectory);
  const events: PeerEvent[] = [];
  const peer = await startNetworkPeer({
    dataDirectory,
    manifest,
    modelDirectory,
    examples: setsOf(first),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootstrap: more.bootstrap ?? [],
    ...(more.startWhen && { startWhen: more.startWhen }),
    compareAlone: false,
    engine: { threads: 1 },
    privacy,
    sketchNoise: NOISE,
    logLevel: "error",
    onEvent: (event) => void events.push(event),
  });
  running.push(peer);
  const started = events.find((event) => event.type === "started");
  const { peer: id, addresses } = started?.type === "started" ? started : { peer: "", addresses: [] };
  return { peer, events, dataDirectory, id, addresses };
}

async function sketchesIn(dataDirectory: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const store = await openStore(dataDirectoryLayout(dataDirectory).store);
  const found = new Map<string, Uint8Array>();
  for await (const [key, value] of store.entries("sketch/")) found.set(key.slice("sketch/".length), value);
  await store.close();
  return found;
}

test("peers send their sketches once, charged, on record and kept, and go on with them after a restart", async () => {
  const go = Promise.withResolvers<void>();
  const alice = await start(5, { startWhen: go.promise });
  const bob = await start(70, { bootstrap: alice.addresses, startWhen: go.promise });
  const isConnected = ({ events }: typeof alice) => events.some((e) => e.type === "neighbours" && e.connected === 1);
  await until(() => isConnected(alice) && isConnected(bob));
  go.resolve();
  const reports = await Promise.all([alice.peer.done, bob.peer.done]);
  expect(reports.map((report) => report?.rounds.length)).toEqual([2, 2]);
  for (const { peer } of [alice, bob]) await peer.stop();

  const [ofAlice, ofBob] = [await sketchesIn(alice.dataDirectory), await sketchesIn(bob.dataDirectory)];
  expect([...ofAlice.keys()].sort()).toEqual([alice.id, bob.id].sort());
  expect(ofBob).toEqual(ofAlice);
  for (const [author, envelope] of ofAlice) {
    expect(readSketch(envelope)).toMatchObject({ author, networkId: networkId(manifest) });
    // With noise a language model's examples are one class.
    expect(readSketch(envelope).components).toHaveLength(1);
  }
  for (const { dataDirectory } of [alice, bob]) await expectBounded(dataDirectory, { values: 10_000 });
  const spent = epsilonOf([{ noise: NOISE, rate: 1, count: 1 }], privacy.delta);
  for (const { dataDirectory } of [alice, bob]) {
    const lines = (await readFile(dataDirectoryLayout(dataDirectory).egress, "utf8")).trim().split("\n");
    const sent = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === "sketch");
    expect(sent).toHaveLength(1);
    expect(sent[0].epsilon).toBeCloseTo(spent, 9);
  }

  const again = await start(5, { dataDirectory: alice.dataDirectory, startWhen: new Promise(() => {}) });
  await again.peer.stop();
  expect(await sketchesIn(alice.dataDirectory)).toEqual(ofAlice);
}, 60_000);
