import { describe, expect, it } from "vitest";
import { encodeAddresses } from "../../protocol/addresses.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import {
  connect,
  createTestPeer,
  P,
  publish,
  roundsOf,
  type TestNet,
  type TestPeer,
  thetaOf,
} from "./exchange.suite.ts";
import { createNet, impostor, up } from "./exchange-faults.suite.ts";
import { forge } from "./impostor.suite.ts";

describe("a restart", () => {
  it("announces again what was stored but not announced before the crash, and signs nothing new for that round", async () => {
    const net = createNet();
    const store = createMemoryStore();
    const before = await createTestPeer(net, { seed: 1, store });
    // The crash: the store has the update, nobody heard of it.
    before.transport.publish = () => Promise.reject(new Error("killed"));
    await publish(before, 1, 0);
    await before.exchange.stop();

    const after = await up(net, { seed: 1, store });
    const friend = await up(net, { seed: 2 });
    await connect(after, friend);
    await until(() => roundsOf(friend)[after.id] === 0);
    expect(after.exchange.publishedRound()).toBe(0);
    await after.exchange.publish({ round: 0, theta: new Float32Array(P), localSteps: 1, sampleCount: 1 });
    await publish(after, 1, 1);
    await until(() => roundsOf(friend)[after.id] === 1);
    expect(friend.updates.map(({ code }) => code)).toEqual(["ACCEPTED", "ACCEPTED"]);
  });

  it("keeps what neighbours sent, and hands it on", async () => {
    const net = createNet();
    const store = createMemoryStore();
    const author = await createTestPeer(net, { seed: 1 });
    const keeper = await createTestPeer(net, { seed: 2, store });
    await connect(author, keeper);
    await publish(author, 1, 0);
    await until(() => keeper.exchange.latest().length === 1);
    await author.exchange.stop();
    await keeper.exchange.stop();

    const again = await up(net, { seed: 2, store });
    expect(roundsOf(again)).toEqual({ [author.id]: 0 });
    const late = await up(net, { seed: 3 });
    await connect(late, again);
    await until(() => roundsOf(late)[author.id] === 0);
    expect(late.exchange.latest()[0]?.theta).toEqual(thetaOf(1, 0));
  });

  it("with an empty store goes on after the link that neighbours remember", async () => {
    const net = createNet();
    const friend = await up(net, { seed: 2 });
    const before = await createTestPeer(net, { seed: 1 });
    await connect(before, friend);
    for (const round of [0, 1]) {
      await publish(before, 1, round);
      await until(() => roundsOf(friend)[before.id] === round);
    }
    await before.exchange.stop();
    await until(() => friend.transport.connected().length === 0);

    const after = await up(net, { seed: 1 });
    await connect(after, friend);
    await until(() => after.said.length > 0);
    expect(after.said).toEqual([
      "neighbours know a later update of this peer than its own store does; going on after it",
    ]);
    await publish(after, 1, 1);
    await publish(after, 1, 2);
    await until(() => roundsOf(friend)[after.id] === 2);
    expect(friend.exchange.counts().rejected).toBe(0);
  });
});

describe("one identity twice", () => {
  const theta = new Float32Array(P);
  const inUse = { code: "IDENTITY_IN_USE" };
  const next = (peer: TestPeer, round: number) =>
    peer.exchange.publish({ round, theta, localSteps: 1, sampleCount: 1 });

  /** A friend that knows updates 0 and 1 of a peer, and a copy of the peer's store from between the two. */
  async function copied() {
    const net = createNet();
    const friend = await up(net, { seed: 2 });
    const store = createMemoryStore();
    const original = await createTestPeer(net, { seed: 1, store });
    await connect(original, friend);
    await publish(original, 1, 0);
    const copy = createMemoryStore();
    for await (const [key, value] of store.entries("")) await copy.batch([{ put: key, value }]);
    await publish(original, 1, 1);
    await until(() => roundsOf(friend)[original.id] === 1);
    await original.exchange.stop();
    await until(() => friend.transport.connected().length === 0);
    return { net, friend, copy };
  }

  it("is seen by a copied or older data directory before it signs, and nobody is proven to have signed twice", async () => {
    const { net, friend, copy } = await copied();
    const second = await up(net, { seed: 1, store: copy });
    await connect(second, friend);
    await expect(next(second, 1)).rejects.toMatchObject(inUse);
    await expect(next(second, 2)).rejects.toThrow(/its address is not known.*the key alone/);
    expect(second.said).toEqual(["another process signs updates with this peer's identity"]);
    expect(roundsOf(friend)[second.id]).toBe(1);
    expect(friend.exchange.counts().rejected).toBe(0);
  });

  it("is seen before it tells what it signed while it was alone", async () => {
    const { net, friend, copy } = await copied();
    const second = await up(net, { seed: 1, store: copy });
    await next(second, 1);
    await connect(second, friend);
    await until(() => second.said.length > 0);
    await expect(next(second, 2)).rejects.toMatchObject(inUse);
    await second.exchange.announceAgain();
    expect(friend.exchange.counts().codes.EQUIVOCATION).toBeUndefined();
  });

  it("is seen when an older directory has signed more alone than its neighbours know of it, and shows none of that", async () => {
    const { net, friend, copy } = await copied();
    const second = await up(net, { seed: 1, store: copy });
    for (const round of [1, 2, 3]) await next(second, round);
    await connect(second, friend);
    await until(() => second.said.length > 0);
    await expect(next(second, 4)).rejects.toMatchObject({ ...inUse, facts: { sequence: 1 } });
    await second.exchange.announceAgain();
    expect(roundsOf(friend)[second.id]).toBe(1);
    expect(friend.exchange.counts()).toMatchObject({ rejected: 0 });
    expect(friend.exchange.counts().codes.EQUIVOCATION).toBeUndefined();
  });

  it("is no such thing for a key that is restored alone and signs before it meets anybody: nobody was shown that", async () => {
    const { net, friend } = await copied();
    const store = createMemoryStore();
    const restored = await up(net, { seed: 1, store });
    for (const round of [0, 1, 2, 3]) await next(restored, round);
    await connect(restored, friend);
    await until(() => restored.said.length > 0);
    await next(restored, 4);
    await until(() => roundsOf(friend)[restored.id] === 4);
    expect(friend.exchange.counts().codes.EQUIVOCATION).toBeUndefined();
    expect(friend.exchange.counts().rejected).toBe(0);
    await restored.exchange.stop();
    const again = await up(net, { seed: 1, store });
    await connect(again, friend);
    await next(again, 5);
    await until(() => roundsOf(friend)[restored.id] === 5);
  });

  it("goes on after an earlier life only where the peer's budget lets it, and loses nothing by waiting for that", async () => {
    const { net, friend } = await copied();
    const store = createMemoryStore();
    const restored = await up(net, { seed: 1, store });
    const asked: unknown[] = [];
    restored.exchange.onEarlierLife(({ round, sequence }) => {
      asked.push({ round, sequence });
      throw new NodeError("PRIVACY_BUDGET", "not counted");
    });
    await next(restored, 0);
    await connect(restored, friend);
    await until(() => restored.said.length > 0);
    expect(restored.exchange.hasPublished(1)).toBe(true);
    await expect(next(restored, 2)).rejects.toMatchObject({ code: "PRIVACY_BUDGET" });
    expect(asked).toEqual([{ round: 1, sequence: 1 }]);
    expect(roundsOf(friend)[restored.id]).toBe(1);
    await restored.exchange.stop();
    await until(() => friend.transport.connected().length === 0);
    const again = await up(net, { seed: 1, store });
    again.exchange.onEarlierLife(() => undefined);
    await connect(again, friend);
    await next(again, 2);
    await until(() => roundsOf(friend)[again.id] === 2);
    expect(friend.exchange.counts().rejected).toBe(0);
  });

  it("is seen by who has signed in this life as soon as another one goes on, with the address where it is", async () => {
    const net = createNet();
    const peer = await up(net, { seed: 1 });
    const witness = await impostor(net, { seed: 9 });
    await witness.enter(peer);
    await publish(peer, 1, 0);
    const address = `/ip4/10.0.0.9/tcp/4001/p2p/${peer.id}`;
    await witness.send(peer, STREAM_PROTOCOLS.addresses, [encodeFrame(encodeAddresses([address]))]);
    await witness.gossip(forge(1, { sequence: 1, round: 1 }).announcement);
    await until(() => peer.said.length > 0);
    await expect(next(peer, 1)).rejects.toMatchObject({ ...inUse, facts: { sequence: 1, addresses: [address] } });
  });

  it("is told where the other one is by a neighbour that is connected with both", async () => {
    const bounds = { streamsPerProtocolMax: 16, gossipBytesMax: 1024, connectionsMax: 16 };
    const net: TestNet = {
      clock: createSystemClock(),
      transport: (seed, logger) =>
        createLibp2pTransport({ logger }, { seed, listen: ["/ip4/127.0.0.1/tcp/0"], ...bounds }),
    };
    const friend = await up(net, { seed: 2 });
    const peer = await up(net, { seed: 1 });
    const heard: string[] = [];
    const { believable } = peer.transport;
    peer.transport.believable = (addresses, from) => {
      heard.push(...addresses);
      return believable.call(peer.transport, addresses, from);
    };
    await connect(peer, friend);
    await publish(peer, 1, 0);
    const copy = await up(net, { seed: 1 });
    await copy.transport.dial(friend.transport.addresses()[0]!, patient());
    const [address] = copy.transport.addresses();
    const witness = await impostor(net, { seed: 9 });
    await witness.enter(peer);
    await until(() => heard.includes(address!));
    await witness.sendHeads(peer, [forge(1, { sequence: 1, round: 1 }).announcement]);
    await until(() => peer.said.length > 0);
    await expect(next(peer, 1)).rejects.toMatchObject({ ...inUse, facts: { sequence: 1, addresses: [address] } });
  });

  it("is seen after a restore from the key alone, which goes on where neighbours say unless another one goes on too", async () => {
    const net = createNet();
    const restored = await up(net, { seed: 1 });
    const witness = await impostor(net, { seed: 9 });
    await witness.enter(restored);
    await witness.sendHeads(restored, [forge(1, { sequence: 4, round: 4 }).announcement]);
    await until(() => restored.said.length > 0);
    await witness.gossip(forge(1, { sequence: 5, round: 5 }).announcement);
    await until(() => restored.said.length > 1);
    await expect(next(restored, 6)).rejects.toMatchObject(inUse);
  });

  it("is asked about before the first update of a life: what neighbours remember is heard first", async () => {
    const { net, friend } = await copied();
    const restored = await up(net, { seed: 1 });
    await connect(restored, friend);
    await next(restored, 2);
    await until(() => roundsOf(friend)[restored.id] === 2);
    expect(friend.exchange.counts().rejected).toBe(0);
  });
});
