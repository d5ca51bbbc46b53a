import { describe, expect, it, vi } from "vitest";
import { type PeerId, peerIdFromPublicKey } from "../../protocol/peer-id.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "../system/network/transport.suite.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { createDialer, peerOfAddress } from "./dialer.ts";

const [ALICE, BOB, CAROL, DAVE, STRANGER, NOBODY] = [1, 2, 3, 4, 5, 6].map((i) =>
  peerIdFromPublicKey(new Uint8Array(32).fill(i)),
) as [PeerId, PeerId, PeerId, PeerId, PeerId, PeerId];

/** Addresses that a store keeps, without their prefix. */
async function kept(store: Store): Promise<readonly string[]> {
  const addresses: string[] = [];
  for await (const [key] of store.entries("address/")) addresses.push(key.slice("address/".length));
  return addresses;
}

async function network(peers: readonly PeerId[]) {
  const hub = createMemoryHub();
  const clock = createVirtualClock(0);
  const transports = await Promise.all(
    peers.map(async (peer) => {
      const transport = hub.create({ logger: silentLogger }, { peer, ...SUITE_LIMITS });
      await transport.start();
      return transport;
    }),
  );
  const dialer = (index: number, bootstrap: readonly string[], store = createMemoryStore(), limits = {}) =>
    createDialer({ transport: transports[index]!, store, clock, logger: silentLogger }, { bootstrap, ...limits });
  return { hub, clock, transports, dialer };
}

describe("the dialer", () => {
  it("dials the bootstrap addresses and goes on without those that do not answer", async () => {
    const { transports, dialer } = await network([ALICE, BOB]);
    const alice = dialer(0, [`/memory/99/p2p/${NOBODY}`, ...transports[1]!.addresses()]);
    await alice.start();
    expect(transports[0]!.connected()).toEqual([BOB]);
    await alice.stop();
    await alice.stop();
  });

  it("tries a dead address again with growing pauses, and reaches it when it comes back", async () => {
    const { hub, clock, transports, dialer } = await network([ALICE, BOB]);
    hub.cut(ALICE, BOB);
    const alice = dialer(0, transports[1]!.addresses(), createMemoryStore(), { pauseMinMs: 100, pauseMaxMs: 400 });
    await alice.start();
    for (const pause of [100, 200, 400]) {
      await until(() => clock.waiting() > 0);
      expect(clock.nextAt()).toBe(clock.now() + pause);
      clock.advance(pause);
      expect(transports[0]!.connected()).toEqual([]);
    }
    await until(() => clock.waiting() > 0);
    hub.mend(ALICE, BOB);
    clock.advance(400);
    await until(() => transports[0]!.connected().includes(BOB));
    await alice.stop();
  });

  it("dials a neighbour again whose connection went", async () => {
    const { clock, transports, dialer } = await network([ALICE, BOB]);
    const alice = dialer(0, transports[1]!.addresses());
    await alice.start();
    await transports[1]!.hangUp(ALICE);
    expect(transports[0]!.connected()).toEqual([]);
    clock.advance(500);
    await until(() => transports[0]!.connected().includes(BOB));
    await alice.stop();
  });

  it("dials nobody any more who is shut out for good, wherever it knows the address from", async () => {
    const { hub, clock, transports, dialer } = await network([ALICE, BOB, CAROL]);
    const dialled: string[] = [];
    const { dial } = transports[0]!;
    transports[0]!.dial = (address, ...rest) => {
      dialled.push(address);
      return dial.call(transports[0]!, address, ...rest);
    };
    const [bob, carol] = [1, 2].map((index) => transports[index]!.addresses()[0]!) as [string, string];
    const elsewhere = `/memory/77/p2p/${BOB}`;
    const store = createMemoryStore();
    await store.batch([elsewhere, carol].map((address) => ({ put: `address/${address}`, value: new Uint8Array(0) })));
    let removed: readonly PeerId[] = [];
    const alice = dialer(0, [bob], store, { isShutOut: (peer: PeerId) => removed.includes(peer) });
    await alice.start();
    expect([...transports[0]!.connected()].sort()).toEqual([BOB, CAROL].sort());
    removed = [BOB];
    alice.review();
    await transports[0]!.hangUp(BOB);
    hub.cut(ALICE, CAROL);
    dialled.length = 0;
    alice.hear([bob, elsewhere]);
    await until(() => {
      clock.advance(30_000);
      return dialled.length > 2;
    });
    expect([...new Set(dialled)]).toEqual([carol]);
    expect(await kept(store)).toEqual([carol]);
    expect(alice.addressCount()).toBe(1);
    await alice.stop();
    // Nor after the next start.
    const again = dialer(0, [bob], store, { isShutOut: (peer: PeerId) => removed.includes(peer) });
    dialled.length = 0;
    await again.start();
    expect(dialled).toEqual([carol]);
    await again.stop();
  });

  it("dials what it was given however many others are connected, and no more of that than it wants neighbours", async () => {
    const { transports, dialer } = await network([ALICE, BOB, CAROL, DAVE, STRANGER]);
    for (const other of [1, 2]) await transports[other]!.dial(transports[0]!.addresses()[0]!, patient());
    const given = [3, 4].flatMap((index) => transports[index]!.addresses());
    const alice = dialer(0, given, createMemoryStore(), { connectedEnough: 1 });
    await alice.start();
    expect(transports[0]!.connected()).toHaveLength(3);
    expect([DAVE, STRANGER, CAROL].map((peer) => alice.isGiven(peer))).toEqual([true, true, false]);
    await alice.stop();
  });

  it("finds back after a restart through neighbours it met before, without a bootstrap address", async () => {
    const { transports, dialer } = await network([ALICE, BOB]);
    const store = createMemoryStore();
    const before = dialer(0, [], store);
    await before.start();
    await transports[1]!.dial(transports[0]!.addresses()[0]!, patient());
    before.meet(BOB);
    await vi.waitFor(async () => expect(await kept(store)).toHaveLength(1));
    await before.stop();
    await transports[1]!.hangUp(ALICE);
    const after = dialer(0, [], store);
    await after.start();
    expect(transports[0]!.connected()).toEqual([BOB]);
    await after.stop();
  });

  it("keeps no more addresses than its book holds, and never forgets a bootstrap address", async () => {
    const { transports, dialer } = await network([ALICE, BOB, CAROL, DAVE]);
    const store = createMemoryStore();
    const alice = dialer(0, transports[1]!.addresses(), store, { addressesMax: 2 });
    await alice.start();
    for (const other of [2, 3]) {
      await transports[other]!.dial(transports[0]!.addresses()[0]!, patient());
      alice.meet(transports[other]!.peer);
    }
    await vi.waitFor(async () => expect((await kept(store)).map(peerOfAddress)).toEqual([DAVE]));
    await alice.stop();
  });

  it("notes nothing of a peer that connects and is not admitted", async () => {
    const { transports, dialer } = await network([ALICE, BOB, CAROL]);
    const store = createMemoryStore();
    const alice = dialer(0, [], store);
    await alice.start();
    for (const other of [1, 2]) await transports[other]!.dial(transports[0]!.addresses()[0]!, patient());
    alice.meet(CAROL);
    await vi.waitFor(async () => expect((await kept(store)).map(peerOfAddress)).toEqual([CAROL]));
    await alice.stop();
  });
});

describe("the dialer, told of addresses", () => {
  it("dials them, and keeps the one that led to a neighbour", async () => {
    const { transports, dialer } = await network([ALICE, BOB]);
    const store = createMemoryStore();
    const alice = dialer(0, [], store);
    await alice.start();
    alice.hear([`/memory/77/p2p/${NOBODY}`, ...transports[1]!.addresses()]);
    await until(() => transports[0]!.connected().includes(BOB));
    expect(await kept(store)).toEqual([]);
    alice.meet(BOB);
    await vi.waitFor(async () => expect(await kept(store)).toEqual(transports[1]!.addresses()));
    await alice.stop();
  });

  it("dials neither itself nor who is connected", async () => {
    const { clock, transports, dialer } = await network([ALICE, BOB]);
    const dialled: string[] = [];
    const alice = dialer(0, transports[1]!.addresses());
    await alice.start();
    const dial = transports[0]!.dial.bind(transports[0]);
    transports[0]!.dial = (address, signal) => {
      dialled.push(address);
      return dial(address, signal);
    };
    alice.hear([
      ...transports[0]!.addresses(),
      `/memory/66/p2p/${BOB}`,
      `/memory/66/p2p/${ALICE}`,
      "/memory/66",
      "nonsense",
    ]);
    alice.hear([`/memory/77/p2p/${NOBODY}`]);
    await until(() => clock.waiting() > 0);
    expect(dialled).toEqual([`/memory/77/p2p/${NOBODY}`]);
    await alice.stop();
  });

  it("gives an address up after so many tries", async () => {
    const { clock, dialer } = await network([ALICE]);
    const alice = dialer(0, [], createMemoryStore(), { heardTriesMax: 3, pauseMinMs: 100, pauseMaxMs: 200 });
    await alice.start();
    alice.hear([`/memory/77/p2p/${NOBODY}`]);
    for (const pause of [100, 200]) {
      await until(() => clock.waiting() > 0);
      expect(clock.nextAt()).toBe(clock.now() + pause);
      clock.advance(pause);
    }
    await alice.stop();
    expect(clock.waiting()).toBe(0);
  });

  it("gives an address up at which only a peer answers that is not admitted", async () => {
    const { clock, transports, dialer } = await network([ALICE, STRANGER]);
    const alice = dialer(0, [], createMemoryStore(), { heardTriesMax: 2, pauseMinMs: 100, pauseMaxMs: 100 });
    await alice.start();
    alice.hear(transports[1]!.addresses());
    for (const pause of [100, 0]) {
      await until(() => transports[0]!.connected().includes(STRANGER));
      await transports[1]!.hangUp(ALICE);
      await until(() => clock.waiting() === (pause === 0 ? 0 : 1));
      clock.advance(pause);
    }
    expect(transports[0]!.connected()).toEqual([]);
    await alice.stop();
  });

  it("dials no more of them than it wants neighbours, and one address of a peer at a time", async () => {
    const { transports, dialer } = await network([ALICE, BOB, CAROL, DAVE]);
    const dialled: string[] = [];
    transports[0]!.dial = (address, signal) => {
      dialled.push(address);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const alice = dialer(0, [], createMemoryStore(), { connectedEnough: 2 });
    await alice.start();
    const [bob, carol, dave] = transports.slice(1).map((transport) => transport.addresses()[0]!);
    alice.hear([bob!, `/memory/9/p2p/${BOB}`, carol!, dave!]);
    await until(() => dialled.length > 1);
    expect(dialled).toEqual([bob, carol]);
    await alice.stop();
  });

  it("tries a few on one neighbour's word at a time, and forgets those of whoever tells most", async () => {
    const peers = Array.from({ length: 40 }, (_, i) => peerIdFromPublicKey(new Uint8Array(32).fill(100 + i)));
    const { clock, transports, dialer } = await network([ALICE, BOB]);
    const dialled: string[] = [];
    transports[0]!.dial = (address, signal) => {
      dialled.push(address);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const alice = dialer(0, [], createMemoryStore(), { heardMax: 8, addressesMax: 16 });
    await alice.start();
    const honest = `/memory/5/p2p/${NOBODY}`;
    alice.hear([honest], CAROL);
    await until(() => dialled.length === 1);
    alice.hear(
      peers.map((peer) => `/memory/6/p2p/${peer}`),
      DAVE,
    );
    await until(() => dialled.length >= 5);
    expect(dialled).toHaveLength(5);
    expect(alice.addressCount()).toBe(8);
    // Whatever else is told, it is tried again.
    clock.advance(10_000);
    await until(() => clock.waiting() > 0);
    for (let turn = 0; turn < 20 && dialled.filter((one) => one === honest).length < 2; turn++) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(dialled.filter((one) => one === honest).length).toBeGreaterThan(1);
    await alice.stop();
  });
});

describe("a neighbour that tells of addresses where nobody answers", () => {
  const nowhere = (peer: PeerId, from: number): string[] =>
    Array.from({ length: 60 }, (_, i) => `/memory/${from + i}/p2p/${peer}`);
  /** A peer whose dials hang but to the given addresses; what it has dialled, and a way to let time pass. */
  async function hanging(connected: number) {
    const { clock, transports, dialer } = await network([ALICE]);
    const dialled: string[] = [];
    const [alice] = transports as [Transport];
    const others = Array.from({ length: connected }, (_, i) => peerIdFromPublicKey(new Uint8Array(32).fill(50 + i)));
    alice.connected = () => others;
    alice.dial = (address, signal) => {
      dialled.push(address);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const dials = dialer(0, [], createMemoryStore());
    await dials.start();
    const pass = async (ms: number): Promise<void> => {
      for (let i = 0; i < ms / 250; i++) {
        clock.advance(250);
        for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    return { dials, dialled, pass };
  }

  it("keeps nobody from the right one, which another neighbour tells: who told of what failed waits for the others", async () => {
    const { dials, dialled, pass } = await hanging(0);
    const right = `/memory/7/p2p/${BOB}`;
    dials.hear(nowhere(BOB, 1000), DAVE);
    await pass(1000);
    dials.hear([right], CAROL);
    // One of them is under way for ten seconds.
    await pass(12_000);
    expect(dialled).toContain(right);
    expect(dialled.length).toBeLessThanOrEqual(3);
    await dials.stop();
  });

  it("leaves room for what others tell, also where a few places are left", async () => {
    const { dials, dialled, pass } = await hanging(13);
    const unknown = Array.from({ length: 60 }, (_, i) => peerIdFromPublicKey(new Uint8Array(32).fill(100 + i)));
    dials.hear(
      unknown.map((peer) => `/memory/6/p2p/${peer}`),
      DAVE,
    );
    await pass(1000);
    expect(dialled).toHaveLength(2);
    const right = `/memory/7/p2p/${BOB}`;
    dials.hear([right], CAROL);
    await pass(1000);
    expect(dialled).toContain(right);
    await dials.stop();
  });
});

describe("a neighbour that says it is at ever other addresses", () => {
  it("has a few of them kept, and makes no peer forget where the others are", async () => {
    const { transports, dialer } = await network([ALICE, BOB, CAROL]);
    const [alice] = transports as [Transport];
    const store = createMemoryStore();
    const identified: ((peer: PeerId) => void)[] = [];
    alice.onIdentified = (listener) => void identified.push(listener);
    const addressesOf = alice.addressesOf.bind(alice);
    let said: readonly string[] = [];
    alice.addressesOf = (peer) => (peer === BOB ? Promise.resolve(said) : addressesOf(peer));
    const dials = dialer(0, [], store);
    await dials.start();
    for (const other of [1, 2]) await transports[other]!.dial(alice.addresses()[0]!, patient());
    dials.meet(CAROL);
    await vi.waitFor(async () => expect(await kept(store)).toHaveLength(1));
    dials.meet(BOB);
    for (let push = 0; push < 100; push++) {
      said = Array.from({ length: 100 }, (_, i) => `/ip4/192.0.2.${push}/tcp/${1000 + i}/p2p/${BOB}`);
      for (const listener of identified) listener(BOB);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const remembered = (await kept(store)).map(peerOfAddress);
    expect(remembered.filter((peer) => peer === CAROL)).toHaveLength(1);
    expect(remembered.filter((peer) => peer === BOB)).toHaveLength(4);
    expect(dials.addressCount()).toBe(5);
    await dials.stop();
  });
});
