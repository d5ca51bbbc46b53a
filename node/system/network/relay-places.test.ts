/** How a relay divides what it has among those who ask. */
import type { Connection, PeerId as Libp2pPeerId, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, expect, it, vi } from "vitest";
import type { Standing } from "../../interface/transport.ts";
import { createNativeSigner } from "../platform/ed25519.ts";
import { Acquaintance } from "./acquaintance.ts";
import { type RelayLimits, RelayPlaces } from "./relay-places.ts";

const LIMITS: RelayLimits = {
  ...{ placesMax: 8, guestPlacesMax: 4, guestPlacesPerOriginMax: 2 },
  ...{ circuitsMax: 10, guestCircuitsMax: 6, guestCircuitsPerOriginMax: 4, circuitsPerPeerMax: 3 },
  ...{ circuitsPerPairMax: 1, guestCircuitsPerDestinationMax: 2 },
  ...{ passingMax: 3, passingPerOriginMax: 1, passingMs: 1_000 },
};

class FakeStream extends EventTarget {
  aborted = false;
  abort(): void {
    this.aborted = true;
    this.dispatchEvent(new Event("close"));
  }
}

function relay() {
  const standings = new Map<string, Standing>();
  const connections = new Map<string, Connection>();
  const places: { peer: Libp2pPeerId; origin: string }[] = [];
  const relaying = new RelayPlaces(
    {
      acquaintance: new Acquaintance((peer) => standings.get(peer) ?? "nobody"),
      connectionsOf: (peer) => [connections.get(peer.toString())].filter((one) => one !== undefined),
      places: () => places,
    },
    LIMITS,
  );
  let keys = 0;
  const come = (standing: Standing, host: string): Connection => {
    const { peer } = createNativeSigner(new Uint8Array(32).fill(++keys));
    const remotePeer = peerIdFromString(peer);
    const connection = { remotePeer, remoteAddr: multiaddr(`/ip4/${host}/tcp/1`) } as Connection;
    standings.set(peer, standing);
    connections.set(peer, connection);
    return connection;
  };
  const reserve = async (connection: Connection): Promise<boolean> => {
    const may = await relaying.mayReserve(connection.remotePeer);
    if (may) places.push({ peer: connection.remotePeer, origin: connection.remoteAddr.getComponents()[0]!.value! });
    return may;
  };
  const ask = (connection: Connection): FakeStream | undefined => {
    const stream = new FakeStream();
    return relaying.begin(stream as unknown as Stream, connection) ? stream : undefined;
  };
  const connect = async (connection: Connection, to: Connection): Promise<FakeStream | undefined> => {
    const stream = ask(connection);
    if (stream === undefined) return undefined;
    let may = false;
    await relaying.answer(stream as unknown as Stream, async () => {
      await Promise.resolve();
      may = relaying.mayConnect(to.remotePeer);
    });
    if (!may) stream.abort();
    return may ? stream : undefined;
  };
  return { relaying, standings, come, reserve, ask, connect };
}

afterEach(() => vi.useRealTimers());

it("guests have a part of the places, of which each address has a share; the rest is for who is known", async () => {
  const { come, reserve } = relay();
  const near = [come("guest", "192.0.2.1"), come("guest", "192.0.2.1"), come("guest", "192.0.2.1")];
  const far = [come("guest", "192.0.2.2"), come("guest", "192.0.2.3"), come("guest", "192.0.2.4")];
  const had = [];
  for (const one of [...near, ...far]) had.push(await reserve(one));
  expect(had).toEqual([true, true, false, true, true, false]);
  // Who has a place keeps it, and whoever is known finds one.
  expect(await reserve(near[0]!)).toBe(true);
  expect(await reserve(come("known", "192.0.2.1"))).toBe(true);
});

it("circuits have bounds for a peer, for the guests of an address and for all guests, and are free again once closed", () => {
  const { come, ask } = relay();
  const [first, second, far] = [come("guest", "192.0.2.1"), come("guest", "192.0.2.1"), come("guest", "192.0.2.2")];
  const streams = [ask(first), ask(first), ask(first)];
  expect(ask(first)).toBeUndefined();
  streams.push(ask(second));
  expect(streams.every((stream) => stream !== undefined)).toBe(true);
  expect(ask(second)).toBeUndefined();
  expect([ask(far), ask(far)].every((stream) => stream !== undefined)).toBe(true);
  expect(ask(come("guest", "192.0.2.3"))).toBeUndefined();
  const member = come("known", "192.0.2.1");
  expect(ask(member)).toBeDefined();
  streams[0]!.abort();
  expect(ask(second)).toBeDefined();
});

it("carries nobody for ever who is not admitted, one at a time, few of one address, and to nobody who is not admitted", async () => {
  vi.useFakeTimers();
  const { come, connect, standings } = relay();
  const admin = come("known", "192.0.2.9");
  const [first, second, far] = [come("nobody", "192.0.2.1"), come("nobody", "192.0.2.1"), come("nobody", "192.0.2.2")];
  const streams = [await connect(first, admin), await connect(first, admin), await connect(second, admin)];
  streams.push(await connect(far, admin));
  expect(streams.map((stream) => stream !== undefined)).toEqual([true, false, false, true]);
  expect(await connect(admin, far)).toBeUndefined();
  standings.set(far.remotePeer.toString(), "guest");
  vi.advanceTimersByTime(1_000);
  expect([streams[0]?.aborted, streams[3]?.aborted]).toEqual([true, false]);
  expect(await connect(second, admin)).toBeDefined();
});

it("leaves room at a destination: one peer has a circuit or two to it, and the guests of one address a few", async () => {
  const { come, connect } = relay();
  const [inside, other] = [come("known", "192.0.2.9"), come("known", "192.0.2.9")];
  const guests = [1, 2, 3].map(() => come("guest", "192.0.2.1"));
  expect(await connect(guests[0]!, inside)).toBeDefined();
  expect(await connect(guests[0]!, inside)).toBeUndefined();
  expect(await connect(guests[0]!, other)).toBeDefined();
  expect(await connect(guests[1]!, inside)).toBeDefined();
  expect(await connect(guests[2]!, inside)).toBeUndefined();
  expect(await connect(come("guest", "192.0.2.2"), inside)).toBeDefined();
  expect(await connect(come("known", "192.0.2.1"), inside)).toBeDefined();
});
