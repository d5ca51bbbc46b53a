/** The driver on the real exchange: signatures, verdicts, gossip, heads and blobs, over a transport in memory. */
import { expect, test } from "vitest";
import { createExchange } from "../exchange/exchange.ts";
import type { Store } from "../interface/store.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createMemoryHub, type MemoryHub } from "../system/network/memory-transport.ts";
import { createNativeSigner, createNativeVerifier } from "../system/platform/ed25519.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { createRoundDriver } from "./driver.ts";
import {
  createMemoryCheckpoints,
  createQuadraticTrainer,
  EXAMPLES,
  type MemoryCheckpoints,
  SILENT,
  testManifest,
  throughTime,
} from "./twins.suite.ts";

const MANIFEST = testManifest({ count: 5 });

/** store, checkpoints: what an earlier life of this peer left. */
async function start(
  { clock, hub }: { clock: VirtualClock; hub: MemoryHub },
  { number, store, checkpoints }: { number: number; store: Store; checkpoints: MemoryCheckpoints },
  manifest = MANIFEST,
  stepMs = 10,
) {
  const signer = createNativeSigner(new Uint8Array(32).fill(number));
  const limits = { streamsPerProtocolMax: 8, gossipBytesMax: 1 << 16 };
  const transport = hub.create({ logger: SILENT }, { peer: signer.peer, ...limits });
  const exchange = createExchange(
    { transport, store, clock, logger: SILENT, signer, verify: createNativeVerifier() },
    { manifest },
  );
  await exchange.start();
  const trainer = createQuadraticTrainer({ clock }, { target: number, seed: number, stepMs });
  const options = { manifest, peer: signer.peer, examples: EXAMPLES, compareAlone: false };
  const dependencies = { trainer, exchange, checkpoints, clock, logger: SILENT, emit: () => undefined };
  const driver = await createRoundDriver(dependencies, options);
  return { transport, exchange, driver, signer };
}

type Peer = Awaited<ReturnType<typeof start>>;

const fresh = (number: number) => ({ number, store: createMemoryStore(), checkpoints: createMemoryCheckpoints() });

test("three peers do all rounds; one of them is killed, comes back with its key, store and checkpoint, and finishes", async () => {
  const world = { clock: createVirtualClock(1_000_000), hub: createMemoryHub() };
  const { clock } = world;
  const kept = fresh(3);
  const [a, b, c] = [await start(world, fresh(1)), await start(world, fresh(2)), await start(world, kept)];
  const dial = (from: typeof a, to: typeof a) =>
    from.transport.dial(to.transport.addresses()[0]!, new AbortController().signal);
  await dial(b, a);
  await dial(c, a);
  await dial(c, b);

  const running = Promise.all([a.driver.run(), b.driver.run()]);
  const first = c.driver.run();
  const reached = async (): Promise<void> => {
    while (c.driver.status().round < 2) await new Promise((resolve) => setImmediate(resolve));
  };
  await throughTime(clock, reached());
  // As after SIGKILL: nothing of it runs any more, and what is durable is what the last checkpoint says.
  const left = kept.checkpoints.saved.at(-1);
  await c.exchange.stop();
  const stopped = c.driver.stop();
  const again = await start(world, { ...kept, checkpoints: createMemoryCheckpoints(left) });
  expect(again.driver.position).toEqual({ round: 2, resumed: true });
  await dial(again, a);
  await dial(again, b);
  const [[reportA, reportB], reportC] = await throughTime(clock, Promise.all([running, again.driver.run()]));
  await throughTime(clock, Promise.all([first, stopped]));

  for (const report of [reportA!, reportB!]) {
    expect(report.rounds.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4]);
    expect(report.updates.rejected).toBe(0);
    expect(report.rounds.every(({ neighbours }) => neighbours === 2)).toBe(true);
  }
  expect(reportC!.rounds.at(-1)!.round).toBe(4);
  expect(reportC!.rounds.at(-1)!.neighbours).toBe(2);
  expect(again.exchange.publishedRound()).toBe(4);
  const ending = Promise.all([a, b, again].map(({ exchange }) => exchange.stop()));
  await throughTime(clock, ending);
});

test("seven peers that hear two others each round fetch no more than that, and wait for nobody in vain", async () => {
  const aggregation = { ...MANIFEST.aggregation, rule: "mean", sample: 2, weights: { kind: "metropolis" } } as const;
  const manifest = { ...MANIFEST, aggregation };
  const world = { clock: createVirtualClock(1_000_000), hub: createMemoryHub() };
  const peers = [];
  for (let number = 1; number <= 7; number++) peers.push(await start(world, fresh(number), manifest));
  for (const [i, from] of peers.entries()) {
    for (const to of peers.slice(0, i)) {
      await from.transport.dial(to.transport.addresses()[0]!, new AbortController().signal);
    }
  }
  const reports = await throughTime(world.clock, Promise.all(peers.map(({ driver }) => driver.run())));
  for (const [i, report] of reports.entries()) {
    // Rounds after the first, which begins before everybody is known, find their sample complete.
    expect(report!.rounds.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4]);
    expect(report!.rounds.every(({ neighbours }) => neighbours <= 2)).toBe(true);
    expect(report!.rounds.some(({ neighbours }) => neighbours === 2)).toBe(true);
    const { ACCEPTED = 0, NOT_SAMPLED = 0 } = peers[i]!.exchange.counts().codes;
    // Of 30 updates in all: two a round, and those whose author left the sample as others became known.
    expect(ACCEPTED).toBeLessThan(20);
    expect(NOT_SAMPLED).toBeGreaterThan(10);
    // Each says how many it counts.
    for (const { neighbours } of peers[i]!.exchange.latest()) expect(neighbours).toBeGreaterThan(0);
  }
  await throughTime(world.clock, Promise.all(peers.map(({ exchange }) => exchange.stop())));
});

test("the smaller side of a partition that got far ahead waits for the larger one, and they go on together", async () => {
  const manifest = testManifest({ count: 16 });
  const world = { clock: createVirtualClock(1_000_000), hub: createMemoryHub() };
  const dial = (from: Peer, to: Peer) =>
    from.transport.dial(to.transport.addresses()[0]!, new AbortController().signal);
  const larger = [];
  for (const number of [1, 2, 3]) larger.push(await start(world, fresh(number), manifest, 300));
  const smaller = [await start(world, fresh(4), manifest), await start(world, fresh(5), manifest)];
  for (const side of [larger, smaller]) {
    for (const [i, from] of side.entries()) for (const to of side.slice(0, i)) await dial(from, to);
  }
  const peers = [...larger, ...smaller];
  const running = Promise.all(peers.map(({ driver }) => driver.run()));
  const reached = async (): Promise<void> => {
    while (smaller[0]!.driver.status().round < 8) await new Promise((resolve) => setImmediate(resolve));
  };
  await throughTime(world.clock, reached());
  expect(8 - larger[0]!.driver.status().round).toBeGreaterThan(2 * manifest.aggregation.ageMax);
  for (const from of smaller) for (const to of larger) await dial(from, to);
  const reports = await throughTime(world.clock, running);
  for (const report of reports) {
    const { rounds, updates } = report!;
    // Nobody jumped, nothing was at fault, and nobody misses the others once they are together.
    expect(rounds.map(({ round }) => round)).toEqual(Array.from({ length: 16 }, (_, round) => round));
    expect(updates.rejected).toBe(0);
    expect(rounds.slice(11).map(({ neighbours }) => neighbours)).toEqual(Array(5).fill(4));
  }
  for (const { exchange } of smaller) expect(exchange.counts().codes.ROUND_OLD).toBeGreaterThan(0);
  await throughTime(world.clock, Promise.all(peers.map(({ exchange }) => exchange.stop())));
});
