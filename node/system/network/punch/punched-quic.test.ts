/** What QUIC's connections through holes are to the rest of the program, with a transport in the place of QUIC. */
import type { Connection, MultiaddrConnection, PeerId, Transport, Upgrader } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, expect, it } from "vitest";
import { until } from "../transport.suite.ts";
import { type DatagramSocket, openDatagramSocket } from "./datagram-socket.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Hole } from "./hole.ts";
import { PunchedQuic } from "./punched-quic.ts";

const PEER = peerIdFromString("12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN");
const OTHER = peerIdFromString("12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq");
const REMOTE: Endpoint = { host: "203.0.113.7", port: 40_000 };
const sockets: DatagramSocket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

/** An open hole: what went into it. */
function hole() {
  const went: number[] = [];
  let pass: (bytes: Uint8Array) => void = () => {};
  const state = { isClosed: false };
  const made = {
    remote: REMOTE,
    onward: (next: typeof pass) => {
      pass = next;
    },
    send: (bytes: Uint8Array) => void went.push(bytes.length),
    close: () => {
      state.isClosed = true;
    },
  };
  return { made: made as unknown as Hole, went, state, comes: (bytes: Uint8Array) => pass(bytes) };
}

class FakeConnection extends EventTarget {
  remoteAddr;

  constructor(address: string) {
    super();
    this.remoteAddr = multiaddr(address);
  }
}

/** A transport that listens with a socket, and remembers how it was asked. */
async function fakeQuic() {
  const listening = await openDatagramSocket("127.0.0.1");
  sockets.push(listening);
  const asked: { dialled?: string; upgrader?: Upgrader } = {};
  const isPoor = { now: false };
  const upgraded: string[] = [];
  const upgrader = {
    upgradeInbound: async ({ remoteAddr }: MultiaddrConnection) => void upgraded.push(remoteAddr.toString()),
    upgradeOutbound: async ({ remoteAddr }: MultiaddrConnection) => {
      upgraded.push(remoteAddr.toString());
      return { remoteAddr } as Connection;
    },
  } as unknown as Upgrader;
  const transport = {
    createListener: (options: { upgrader: Upgrader }) => {
      asked.upgrader = options.upgrader;
      const getAddrs = () => [multiaddr(`/ip4/127.0.0.1/udp/${listening.port}/quic-v1`)];
      const listen = async () => {
        if (isPoor.now) throw new Error("EMFILE");
      };
      return { listen, close: async () => {}, getAddrs };
    },
    dial: async (address: { toString(): string }, options: { upgrader: Upgrader }) => {
      asked.dialled = address.toString();
      const connection = new FakeConnection(asked.dialled);
      return await options.upgrader.upgradeOutbound(connection as unknown as MultiaddrConnection, {} as never);
    },
  } as unknown as Transport;
  const come = (address: string, peer: PeerId) => {
    const connection = new FakeConnection(address);
    const done = asked.upgrader?.upgradeInbound(
      connection as unknown as MultiaddrConnection,
      { remotePeer: peer } as never,
    );
    return { connection, done };
  };
  return { quic: new PunchedQuic(() => transport, upgrader), listening, asked, upgraded, come, isPoor };
}

const signal = new AbortController().signal;
const THROUGH = `/ip4/${REMOTE.host}/udp/${REMOTE.port}/quic-v1/p2p/${PEER}`;

it("one that is awaited has the address of the other side, and its datagrams go both ways until it closes", async () => {
  const { quic, listening, upgraded, come } = await fakeQuic();
  const { made, went, comes, state } = hole();
  const expected = await quic.expect(made, PEER);
  const heard: { length: number; from: Endpoint }[] = [];
  listening.receive((bytes, from) => void heard.push({ length: bytes.length, from }));
  comes(new Uint8Array(1200));
  await until(() => heard.length === 1);
  const { port } = heard[0]!.from;
  // Another socket of this machine is not QUIC's.
  const stranger = await openDatagramSocket("127.0.0.1");
  sockets.push(stranger);
  stranger.send(new Uint8Array(7), { host: "127.0.0.1", port });
  listening.send(new Uint8Array(900), { host: "127.0.0.1", port });
  await until(() => went.length > 0);
  expect(went).toEqual([900]);
  const { connection } = come(`/ip4/127.0.0.1/udp/${port}/quic-v1/p2p/${PEER}`, PEER);
  await expected.come(signal);
  expect(upgraded).toEqual([THROUGH]);
  expect([quic.open, state.isClosed]).toEqual([1, false]);
  // From now on nothing that begins a connection goes on from there: a handshake costs this side more than the other.
  heard.splice(0);
  comes(Uint8Array.of(0xc3, ...new Uint8Array(1199)));
  comes(Uint8Array.of(0x43, ...new Uint8Array(99)));
  await until(() => heard.length > 0);
  expect(heard.map(({ length }) => length)).toEqual([100]);
  connection.dispatchEvent(new Event("close"));
  await until(() => quic.open === 0);
  expect(state.isClosed).toBe(true);
});

it("listens anew for the next hole, where it could not for want of descriptors", async () => {
  const { quic, isPoor } = await fakeQuic();
  isPoor.now = true;
  await expect(quic.expect(hole().made, PEER)).rejects.toThrow("EMFILE");
  isPoor.now = false;
  const expected = await quic.expect(hole().made, PEER);
  expected.give();
  await until(() => quic.open === 0);
});

it("is nobody's but the peer's that the hole is for: not another key's, and no other program's of this machine", async () => {
  const { quic, listening, upgraded, come } = await fakeQuic();
  const { made, comes } = hole();
  const expected = await quic.expect(made, PEER);
  const ports: number[] = [];
  listening.receive((_, { port }) => void ports.push(port));
  comes(new Uint8Array(1200));
  await until(() => ports.length === 1);
  const from = (port: number) => `/ip4/127.0.0.1/udp/${port}/quic-v1`;
  await expect(come(`${from(ports[0]!)}/p2p/${OTHER}`, OTHER).done).rejects.toThrow("nobody is expected");
  await expect(come(`${from(1)}/p2p/${PEER}`, PEER).done).rejects.toThrow("nobody is expected");
  expect(upgraded).toEqual([]);
  await expect(expected.come(AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
  expected.give();
  await until(() => quic.open === 0);
});

it("one that is dialled has the address of the other side, too", async () => {
  const { quic, asked, upgraded } = await fakeQuic();
  const { made } = hole();
  const { remoteAddr } = await quic.dial(made, PEER, signal);
  expect(asked.dialled).toMatch(new RegExp(`^/ip4/127\\.0\\.0\\.1/udp/\\d+/quic-v1/p2p/${PEER}$`));
  expect([remoteAddr.toString(), ...upgraded]).toEqual([THROUGH, THROUGH]);
  await quic.stop();
  expect(quic.open).toBe(0);
});
