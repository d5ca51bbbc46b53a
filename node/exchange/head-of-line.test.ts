/** Who hangs holds up nobody but itself: fetches of updates beside neighbours that answer late or never. */
import { afterEach, describe, expect, it } from "vitest";
import { createSigner } from "../../protocol/envelope.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { until } from "../system/network/transport.suite.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { connect, createTestPeer, publish, roundsOf, signerOf, type TestNet, type TestPeer } from "./exchange.suite.ts";
import { EXCHANGE_DEFAULTS } from "./exchange-limits.ts";
import { blobReply, createImpostor, forge, type Impostor } from "./impostor.suite.ts";
import { raceProviders } from "./provider-race.ts";
import { ProviderSlots } from "./provider-slots.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function victimAndNet(): Promise<{ net: TestNet & { readonly clock: VirtualClock }; victim: TestPeer }> {
  const hub = createMemoryHub();
  const bounds = { streamsPerProtocolMax: 16, gossipBytesMax: 1024 };
  const net = {
    clock: createVirtualClock(),
    transport: async (secretKey: Uint8Array, logger: Parameters<TestNet["transport"]>[1]) =>
      hub.create({ logger }, { peer: createSigner(secretKey).peer, ...bounds }),
  };
  const victim = await createTestPeer(net, { seed: 1 });
  stops.push(() => victim.exchange.stop());
  return { net, victim };
}

async function neighbour(net: TestNet, victim: TestPeer, seed: number): Promise<Impostor> {
  const created = await createImpostor(net, { seed });
  stops.push(() => created.stop());
  await created.enter(victim);
  return created;
}

const serving = (one: Impostor, envelope: Uint8Array): void =>
  one.serve(() => blobReply({ status: "found", length: envelope.byteLength }, envelope));

describe("neighbours that announce and never serve", () => {
  it("hold up nobody, however long they are waited for", async () => {
    const { net, victim } = await victimAndNet();
    const hanging: Impostor[] = [];
    for (const seed of [11, 12, 13, 14]) hanging.push(await neighbour(net, victim, seed));
    for (const [i, one] of hanging.entries()) {
      one.serve("hang");
      await one.sendHeads(victim, [forge(11 + i).announcement]);
      await until(() => one.requests() === 1);
    }
    const honest = await createTestPeer(net, { seed: 2 });
    stops.push(() => honest.exchange.stop());
    await connect(honest, victim);
    await publish(honest, 2, 0);
    // No time passes.
    await until(() => roundsOf(victim)[honest.id] === 0);
  });

  it("are asked last once they have hung, and have half of the fetches at most", async () => {
    const { net, victim } = await victimAndNet();
    const hanging: Impostor[] = [];
    const { fetchesMax, lateFetchesMax, firstByteTimeoutMs } = EXCHANGE_DEFAULTS;
    for (let seed = 11; seed < 11 + fetchesMax; seed++) hanging.push(await neighbour(net, victim, seed));
    for (const round of [0, 1]) {
      for (const [i, one] of hanging.entries()) {
        one.serve("hang");
        await one.sendHeads(victim, [forge(11 + i, { sequence: round, round }).announcement]);
      }
      if (round === 0) {
        await until(() => hanging.every((one) => one.requests() > 0));
        // All places are taken by who is not known to hang yet; then they are free again.
        for (let step = 0; step < 8; step++) {
          net.clock.advance(firstByteTimeoutMs);
          for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
        }
      }
    }
    expect(lateFetchesMax).toBeLessThan(fetchesMax);
    const honest = await createTestPeer(net, { seed: 2 });
    stops.push(() => honest.exchange.stop());
    await connect(honest, victim);
    await publish(honest, 2, 0);
    await until(() => roundsOf(victim)[honest.id] === 0);
  });
});

describe("a neighbour that passes honest announcements on and hangs", () => {
  it("is overtaken by the next one, and asked last from then on", async () => {
    const { net, victim } = await victimAndNet();
    const hanging = await neighbour(net, victim, 7);
    const honest = await neighbour(net, victim, 8);
    hanging.serve("hang");
    const first = forge(5);
    serving(honest, first.envelope);
    await hanging.sendHeads(victim, [first.announcement]);
    await until(() => hanging.requests() === 1);
    expect(honest.requests()).toBe(0);
    net.clock.advance(EXCHANGE_DEFAULTS.nextProviderAfterMs);
    await until(() => victim.exchange.latest().length === 1);
    const second = forge(6);
    serving(honest, second.envelope);
    await hanging.sendHeads(victim, [second.announcement]);
    await until(() => victim.exchange.latest().length === 2);
    expect(hanging.requests()).toBe(1);
  });
});

describe("the slots of providers", () => {
  const [a, b, c] = [signerOf(1).peer, signerOf(2).peer, signerOf(3).peer];

  it("are so many each, and remember so many that were late, who go last until they serve", () => {
    const slots = new ProviderSlots({ perProviderMax: 2, lateMax: 1 });
    const give = [slots.take(a), slots.take(a)];
    expect([slots.hasRoom(a), slots.hasRoom(b)]).toEqual([false, true]);
    give[0]!();
    give[0]!();
    expect(slots.hasRoom(a)).toBe(true);
    slots.noteLate(a);
    expect(slots.ordered([a, b, c])).toEqual([b, c, a]);
    slots.noteLate(b);
    expect([slots.isLate(a), slots.isLate(b)]).toEqual([false, true]);
    slots.noteServed(b);
    expect(slots.ordered([a, b, c])).toEqual([a, b, c]);
  });

  it("make a race wait so long for the last byte of one, twice as long for the next, and without end for who is trusted", async () => {
    const clock = createVirtualClock();
    const asked: string[] = [];
    const race = (trusted?: typeof a) => {
      const slots = new ProviderSlots({ perProviderMax: 1, lateMax: 8 });
      const ask = async (peer: typeof a, { onBegun }: { readonly onBegun: () => void }) => {
        asked.push(peer);
        onBegun();
        return new Promise<undefined>(() => {});
      };
      const limits = { nextAfterMs: 10, slowAfterMs: 100, slotWaitMs: 100, signal: new AbortController().signal };
      void raceProviders({ clock, slots, ask }, { providers: [a, b, c], ...limits, ...(trusted && { trusted }) });
    };
    race();
    clock.advance(99);
    expect(asked).toEqual([a]);
    clock.advance(1);
    expect(asked).toEqual([a, b]);
    clock.advance(199);
    expect(asked).toEqual([a, b]);
    clock.advance(1);
    expect(asked).toEqual([a, b, c]);
    asked.length = 0;
    race(a);
    clock.advance(100_000);
    expect(asked).toEqual([a]);
  });

  it("make a race wait so long for who is busy, and not at all for who is busy and late", async () => {
    const clock = createVirtualClock();
    const slots = new ProviderSlots({ perProviderMax: 1, lateMax: 8 });
    const bytes = Uint8Array.of(1);
    const race = () =>
      raceProviders(
        { clock, slots, ask: async () => bytes },
        { providers: [a], nextAfterMs: 10, slowAfterMs: 8_000, slotWaitMs: 100, signal: new AbortController().signal },
      );
    const give = slots.take(a);
    const [waits, given] = [race(), race()];
    clock.advance(99);
    give();
    expect(await waits).toBe(bytes);
    expect(await given).toBe(bytes);
    const again = slots.take(a);
    const ended = race();
    clock.advance(100);
    expect(await ended).toBeUndefined();
    slots.noteLate(a);
    expect(await race()).toBeUndefined();
    again();
    expect(clock.waiting()).toBe(0);
  });
});
