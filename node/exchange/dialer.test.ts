import { describe, expect, it, vi } from "vitest";
import type { Store } from "../interface/store.ts";
import { createMemoryStore } from "../system/memory-store.ts";
import { createMemoryHub } from "../system/memory-transport.ts";
import { SUITE_LIMITS, silentLogger, until } from "../system/transport.suite.ts";
import { createVirtualClock } from "../system/virtual-clock.ts";
import { createDialer, peerOfAddress } from "./dialer.ts";

/** Addresses that a store keeps, without their prefix. */
async function kept(store: Store): Promise<readonly string[]> {
  const addresses: string[] = [];
  for await (const [key] of store.entries("address/")) addresses.push(key.slice("address/".length));
  return addresses;
}

async function network(names: readonly string[]) {
  const hub = createMemoryHub();
  const clock = createVirtualClock(0);
  const transports = await Promise.all(
    names.map(async (peer) => {
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
    const { transports, dialer } = await network(["alice", "bob"]);
    const alice = dialer(0, ["/memory/99/p2p/nobody", ...transports[1]!.addresses()]);
    await alice.start();
    expect(transports[0]!.connected()).toEqual(["bob"]);
    await alice.stop();
    await alice.stop();
  });

  it("tries a dead address again with growing pauses, and reaches it when it comes back", async () => {
    const { hub, clock, transports, dialer } = await network(["alice", "bob"]);
    hub.cut("alice", "bob");
    const alice = dialer(0, transports[1]!.addresses(), createMemoryStore(), { pauseMinMs: 100, pauseMaxMs: 400 });
    await alice.start();
    for (const pause of [100, 200, 400]) {
      await until(() => clock.waiting() > 0);
      expect(clock.nextAt()).toBe(clock.now() + pause);
      clock.advance(pause);
      expect(transports[0]!.connected()).toEqual([]);
    }
    await until(() => clock.waiting() > 0);
    hub.mend("alice", "bob");
    clock.advance(400);
    await until(() => transports[0]!.connected().includes("bob"));
    await alice.stop();
  });

  it("dials a neighbour again whose connection went", async () => {
    const { clock, transports, dialer } = await network(["alice", "bob"]);
    const alice = dialer(0, transports[1]!.addresses());
    await alice.start();
    await transports[1]!.hangUp("alice");
    expect(transports[0]!.connected()).toEqual([]);
    clock.advance(500);
    await until(() => transports[0]!.connected().includes("bob"));
    await alice.stop();
  });

  it("finds back after a restart through neighbours it met before, without a bootstrap address", async () => {
    const { transports, dialer } = await network(["alice", "bob"]);
    const store = createMemoryStore();
    const before = dialer(0, [], store);
    await before.start();
    await transports[1]!.dial(transports[0]!.addresses()[0]!, AbortSignal.timeout(1000));
    await vi.waitFor(async () => expect(await kept(store)).toHaveLength(1));
    await before.stop();
    await transports[1]!.hangUp("alice");
    const after = dialer(0, [], store);
    await after.start();
    expect(transports[0]!.connected()).toEqual(["bob"]);
    await after.stop();
  });

  it("keeps no more addresses than its book holds, and never forgets a bootstrap address", async () => {
    const { transports, dialer } = await network(["alice", "bob", "carol", "dave"]);
    const store = createMemoryStore();
    const alice = dialer(0, transports[1]!.addresses(), store, { addressesMax: 2 });
    await alice.start();
    for (const other of [2, 3])
      await transports[other]!.dial(transports[0]!.addresses()[0]!, AbortSignal.timeout(1000));
    await vi.waitFor(async () => expect((await kept(store)).map(peerOfAddress)).toEqual(["dave"]));
    await alice.stop();
  });
});
