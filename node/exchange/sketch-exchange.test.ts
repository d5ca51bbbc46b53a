import { describe, expect, it } from "vitest";
import { createSigner } from "../../protocol/envelope.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { encodeSketchRequest, SKETCH_FEATURES, type SketchComponent, signSketch } from "../../protocol/sketch.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { connect, createTestPeer, MANIFEST, signerOf, type TestNet, type TestPeer, thetaOf } from "./exchange.suite.ts";
import { EXCHANGE_DEFAULTS } from "./exchange-limits.ts";
import { createImpostor } from "./impostor.suite.ts";
import { hasSketch, type SketchExchange } from "./sketch-exchange.ts";

const manifest: NetworkManifest = {
  ...MANIFEST,
  adapter: { kind: "tri-lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: "all", basis: "shared" },
  aggregation: {
    ...MANIFEST.aggregation,
    weights: { kind: "similarity", temperature: 0.1, data: { share: 0.5, temperature: 0.1 } },
  },
};
const exchange = { manifest };
const netOf = (): TestNet & { readonly clock: VirtualClock } => {
  const hub = createMemoryHub();
  const bounds = { streamsPerProtocolMax: 16, gossipBytesMax: 1024 };
  return {
    clock: createVirtualClock(),
    transport: async (secretKey, logger) => hub.create({ logger }, { peer: createSigner(secretKey).peer, ...bounds }),
  };
};
const sketchOf = (seed: number): readonly SketchComponent[] => [
  { weight: 1, mean: new Float64Array(SKETCH_FEATURES).fill(seed / 64), deviation: new Float64Array(SKETCH_FEATURES) },
];
/** As when an update of the author was heard. */
const wantSketch = (of: TestPeer, author: string): void =>
  (of.exchange.sketches as SketchExchange).want(author as PeerId);
const update = (seed: number, round: number) => ({ round, theta: thetaOf(seed, round), localSteps: 1, sampleCount: 1 });

describe("sketches between peers", () => {
  it("go to who meets their author, and on to who only hears of it, and are there after a restart", async () => {
    const net = netOf();
    const [alice, bob, carol] = await Promise.all([1, 2, 3].map((seed) => createTestPeer(net, { seed, exchange })));
    await alice!.exchange.sketches!.publish(sketchOf(1));
    await connect(bob!, alice!);
    await until(() => bob!.exchange.sketches!.of(alice!.id) !== undefined);
    expect(bob!.exchange.sketches!.of(alice!.id)).toEqual(alice!.exchange.sketches!.own());
    await alice!.exchange.publish(update(1, 0));
    await until(() => bob!.exchange.latest().length === 1);
    await connect(carol!, bob!);
    await until(() => carol!.exchange.sketches!.of(alice!.id) !== undefined);
    expect(carol!.exchange.sketches!.of(alice!.id)).toEqual(alice!.exchange.sketches!.own());
    for (const peer of [alice!, bob!, carol!]) await peer.exchange.stop();
    const again = await createTestPeer(net, { seed: 3, exchange, store: carol!.store });
    expect(again.exchange.sketches!.of(alice!.id)).toEqual(sketchOf(1));
    await again.exchange.stop();
  });

  it("are made once: what was published first stays, also over a restart", async () => {
    const net = netOf();
    const alice = await createTestPeer(net, { seed: 1, exchange });
    expect(await hasSketch(alice.store, alice.id)).toBe(false);
    await alice.exchange.sketches!.publish(sketchOf(1));
    await alice.exchange.sketches!.publish(sketchOf(2));
    expect(alice.exchange.sketches!.own()).toEqual(sketchOf(1));
    expect(await hasSketch(alice.store, alice.id)).toBe(true);
    await alice.exchange.stop();
    const again = await createTestPeer(net, { seed: 1, exchange, store: alice.store });
    await again.exchange.sketches!.publish(sketchOf(2));
    expect(again.exchange.sketches!.own()).toEqual(sketchOf(1));
    await again.exchange.stop();
  });

  it("of a key that has signed elsewhere are told to nobody before what was spent there is counted", async () => {
    const net = netOf();
    const bob = await createTestPeer(net, { seed: 2, exchange });
    const alice = await createTestPeer(net, { seed: 1, exchange });
    await connect(bob, alice);
    await alice.exchange.publish(update(1, 0));
    await until(() => bob.exchange.latest().length === 1);
    await alice.exchange.stop();
    // Its key alone in an empty directory, as a person copies it.
    const again = await createTestPeer(net, { seed: 1, exchange });
    let isCounted = false;
    again.exchange.onEarlierLife(() => {
      if (!isCounted) throw new Error("what was spent before is not counted");
    });
    await again.exchange.sketches!.publish(sketchOf(2));
    const told = async (): Promise<number> => {
      const stream = await bob.transport.open(again.id, STREAM_PROTOCOLS.sketch, patient());
      await stream.sink([encodeFrame(encodeSketchRequest(again.id as PeerId))]);
      let length = 0;
      for await (const piece of stream.source) length += piece.length;
      return length;
    };
    await connect(again, bob);
    // The first question comes before anybody has said what the key has signed, and waits for that.
    expect(await told()).toBeLessThan(8);
    await expect(again.exchange.publish(update(1, 1))).rejects.toThrow("not counted");
    expect(bob.exchange.sketches!.of(again.id)).toBeUndefined();
    isCounted = true;
    expect(await told()).toBeGreaterThan(100);
    await again.exchange.publish(update(1, 1));
    await until(() => bob.exchange.sketches!.of(again.id) !== undefined);
    for (const peer of [again, bob]) await peer.exchange.stop();
  });

  it("that come later than their author's admission come with its next update", async () => {
    const net = netOf();
    const [alice, bob] = await Promise.all([1, 2].map((seed) => createTestPeer(net, { seed, exchange })));
    await connect(bob!, alice!);
    await alice!.exchange.publish(update(1, 0));
    await until(() => bob!.exchange.latest().length === 1);
    await alice!.exchange.sketches!.publish(sketchOf(1));
    await alice!.exchange.publish(update(1, 1));
    await until(() => bob!.exchange.sketches!.of(alice!.id) !== undefined);
    for (const peer of [alice!, bob!]) await peer.exchange.stop();
  });

  it("are neither asked for nor served where the network does not weigh by them", async () => {
    const net = netOf();
    const [alice, bob] = await Promise.all([1, 2].map((seed) => createTestPeer(net, { seed })));
    await connect(bob!, alice!);
    expect(alice!.exchange.sketches).toBeUndefined();
    const opened = bob!.transport.open(alice!.id, STREAM_PROTOCOLS.sketch, patient());
    await expect(opened).rejects.toThrow();
    for (const peer of [alice!, bob!]) await peer.exchange.stop();
  });

  it.each([
    ["another author's", () => signSketch({ networkId: networkId(manifest), components: sketchOf(1) }, signerOf(8))],
    ["another network's", () => signSketch({ networkId: networkId(MANIFEST), components: sketchOf(1) }, signerOf(9))],
    ["no sketch", () => Uint8Array.of(1, 2, 3)],
    [
      "a forged one",
      () =>
        signSketch({ networkId: networkId(manifest), components: sketchOf(1) }, signerOf(9)).map((b, i) =>
          i === 60 ? b ^ 1 : b,
        ),
    ],
  ])("are refused and held against who sends them: %s", async (_, make) => {
    const net = netOf();
    const victim = await createTestPeer(net, { seed: 1, exchange: { manifest, rejectsMax: 0 } });
    const impostor = await createImpostor(net, { seed: 9, manifest });
    let asked = 0;
    await impostor.transport.handle(STREAM_PROTOCOLS.sketch, async (stream) => {
      for await (const _ of stream.source);
      asked += 1;
      await stream.sink([encodeFrame(make())]);
    });
    await impostor.enter(victim);
    await until(() => victim.exchange.refuses(impostor.signer.peer));
    expect(asked).toBe(1);
    expect(victim.exchange.sketches!.of(impostor.signer.peer)).toBeUndefined();
    await victim.exchange.stop();
    await impostor.stop();
  });

  it("come whoever else hangs: the next provider is asked beside who keeps this peer waiting, and it goes last from then on", async () => {
    const net = netOf();
    const over = Promise.withResolvers<void>();
    const victim = await createTestPeer(net, { seed: 1, exchange });
    const hanging = await createImpostor(net, { seed: 9, manifest });
    const asked: string[] = [];
    await hanging.transport.handle(STREAM_PROTOCOLS.sketch, async (stream) => {
      for await (const piece of stream.source) asked.push(String(piece.length));
      await over.promise;
    });
    const relay = await createTestPeer(net, { seed: 2, exchange });
    const authors = [];
    for (const seed of [5, 6]) {
      const author = await createTestPeer(net, { seed, exchange });
      await author.exchange.sketches!.publish(sketchOf(seed));
      await connect(relay, author);
      await until(() => relay.exchange.sketches!.of(author.id) !== undefined);
      authors.push(author);
    }
    await hanging.enter(victim);
    // Its own sketch is asked for at once.
    await until(() => asked.length === 1);
    await connect(victim, relay);
    const [first, second] = authors;
    wantSketch(victim, first!.id);
    net.clock.advance(EXCHANGE_DEFAULTS.nextProviderAfterMs);
    await until(() => victim.exchange.sketches!.of(first!.id) !== undefined);
    const before = asked.length;
    wantSketch(victim, second!.id);
    // No time passes.
    await until(() => victim.exchange.sketches!.of(second!.id) !== undefined);
    expect(asked).toHaveLength(before);
    // It is given up after the seconds that the first byte may take.
    net.clock.advance(EXCHANGE_DEFAULTS.firstByteTimeoutMs);
    for (const peer of [victim, relay, ...authors]) await peer.exchange.stop();
    over.resolve();
    await hanging.stop();
  });

  it("are waited for by a number of authors at a time, half of it for those that were waited for in vain", async () => {
    const net = netOf();
    const over = Promise.withResolvers<void>();
    const victim = await createTestPeer(net, { seed: 1, exchange });
    const { sketchFetchesMax, firstByteTimeoutMs, lateFetchesMax } = EXCHANGE_DEFAULTS;
    const hanging: Awaited<ReturnType<typeof createImpostor>>[] = [];
    let asked = 0;
    for (let seed = 11; seed < 11 + sketchFetchesMax; seed++) {
      const one = await createImpostor(net, { seed, manifest });
      await one.transport.handle(STREAM_PROTOCOLS.sketch, async (stream) => {
        for await (const _ of stream.source);
        asked++;
        await over.promise;
      });
      await one.enter(victim);
      hanging.push(one);
    }
    await until(() => asked >= sketchFetchesMax);
    for (let step = 0; step < 8; step++) {
      net.clock.advance(firstByteTimeoutMs);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const one of hanging) wantSketch(victim, one.signer.peer);
    expect(lateFetchesMax).toBeLessThan(sketchFetchesMax);
    const honest = await createTestPeer(net, { seed: 2, exchange });
    await honest.exchange.sketches!.publish(sketchOf(2));
    await connect(honest, victim);
    await until(() => victim.exchange.sketches!.of(honest.id) !== undefined);
    for (const peer of [victim, honest]) await peer.exchange.stop();
    over.resolve();
    for (const one of hanging) await one.stop();
  });

  it("are served to neighbours only, and a request that is none breaks nothing", async () => {
    const net = netOf();
    const victim = await createTestPeer(net, { seed: 1, exchange });
    await victim.exchange.sketches!.publish(sketchOf(1));
    const stranger = await createImpostor(net, { seed: 9, manifest, answers: false });
    await stranger.dial(victim);
    const request = encodeFrame(encodeSketchRequest(victim.signer.peer));
    expect(await stranger.send(victim, STREAM_PROTOCOLS.sketch, [request])).toBeInstanceOf(Error);
    await stranger.stop();
    const neighbour = await createImpostor(net, { seed: 8, manifest });
    await neighbour.enter(victim);
    expect(await neighbour.send(victim, STREAM_PROTOCOLS.sketch, [encodeFrame(Uint8Array.of(0xff))])).toBeInstanceOf(
      Error,
    );
    const unknown = encodeFrame(encodeSketchRequest(signerOf(77).peer));
    expect(await neighbour.send(victim, STREAM_PROTOCOLS.sketch, [unknown])).toEqual(encodeFrame(new Uint8Array()));
    const served = await neighbour.send(victim, STREAM_PROTOCOLS.sketch, [request]);
    const expected = signSketch({ networkId: networkId(manifest), components: sketchOf(1) }, victim.signer);
    expect(served).toEqual(encodeFrame(expected));
    await neighbour.stop();
    await victim.exchange.stop();
  });

  it("of more authors than are kept: the one that came first is forgotten, and damaged ones are dropped", async () => {
    const net = netOf();
    const store = createMemoryStore();
    const bob = await createTestPeer(net, { seed: 9, store, exchange: { manifest, authorsMax: 2 } });
    const authors = [];
    for (const seed of [1, 2, 3]) {
      const author = await createTestPeer(net, { seed, exchange });
      await author.exchange.sketches!.publish(sketchOf(seed));
      await connect(bob, author);
      await until(() => bob.exchange.sketches!.of(author.id) !== undefined);
      authors.push(author);
    }
    expect(authors.map(({ id }) => bob.exchange.sketches!.of(id) !== undefined)).toEqual([false, true, true]);
    for (const peer of [bob, ...authors]) await peer.exchange.stop();
    await store.batch([{ put: `sketch/${authors[1]!.id}`, value: Uint8Array.of(1) }]);
    const again = await createTestPeer(net, { seed: 9, store, exchange });
    expect(authors.map(({ id }) => again.exchange.sketches!.of(id) !== undefined)).toEqual([false, false, true]);
    expect(again.said.join()).toContain("sketches in the store were dropped");
    await again.exchange.stop();
  });
});
