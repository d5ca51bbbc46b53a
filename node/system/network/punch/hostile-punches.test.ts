/** What hostile programs get of hole punches: libp2p that speaks the conversation by itself, over a relay. */
import { noise } from "@chainsafe/libp2p-noise";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../../../protocol/peer-id.ts";
import type { Standing } from "../../../interface/transport.ts";
import { HearsayDial } from "../hearsay-dial.ts";
import { until } from "../transport.suite.ts";
import { openDatagramSocket } from "./datagram-socket.ts";
import { hasQuic, inside, type Made, relaying, stopAll, stopLater, up } from "./punch.suite.ts";
import { mayTell } from "./punch-talk.ts";
import { SmallMessages } from "./small-messages.ts";

const PUNCH = "/weft/0123456789abcdef/punch/1";
const RELAY = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const WITNESS = "/weft/0123456789abcdef/witness/1";
afterEach(stopAll);

/** A program whose key comes before or after that of a peer. */
async function hostile(isBefore: boolean, peer: PeerId): Promise<Libp2p> {
  for (;;) {
    const node = await createLibp2p({
      transports: [tcp(), circuitRelayTransport()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify() },
    });
    stopLater(node);
    if (node.peerId.toString() < peer === isBefore) return node;
    await node.stop();
  }
}

/** A relay, a peer with a place there, and a hostile program that is connected with the peer through it. */
async function scene(isBefore: boolean, made: Made = {}) {
  const relay = await relaying();
  const victim = await inside(2, relay, made);
  const node = await hostile(isBefore, victim.peer);
  await node.dial(multiaddr(relay.addresses()[0]!));
  return { relay, victim, node, relayed: await node.dial(multiaddr(victim.addresses()[0]!)) };
}

const offer = (address: string, nonce = new Uint8Array(16)): readonly Uint8Array[] => [
  Uint8Array.of(1),
  nonce,
  multiaddr(address).bytes,
];

/** The first answer to a message; none where the stream ends without. */
async function answered(relayed: Connection, ...message: readonly Uint8Array[]) {
  const stream = await relayed.newStream(PUNCH, { maxOutboundStreams: 64 });
  const messages = new SmallMessages(stream, AbortSignal.timeout(5_000));
  const talk = async (): Promise<Uint8Array> => {
    messages.write(...message);
    return await messages.read();
  };
  const answer = await talk().catch(() => undefined);
  return { answer, messages, stream };
}

describe.skipIf(!hasQuic)("a hole", () => {
  it("is punched towards one address with a few small datagrams, and so often only", async () => {
    const { relayed } = await scene(true);
    const target = await openDatagramSocket("127.0.0.1");
    stopLater({ stop: () => target.close() });
    const knocks: number[] = [];
    target.receive((bytes) => void knocks.push(bytes.length));
    const told = offer(`/ip4/127.0.0.1/udp/${target.port}`);
    const { answer, messages, stream } = await answered(relayed, ...told);
    expect(answer?.[0]).toBe(1);
    messages.write(Uint8Array.of(2));
    expect([...(await messages.read())]).toEqual([3]);
    messages.write(Uint8Array.of(4));
    // It ends by itself when nobody shows the number.
    await until(() => stream.status !== "open");
    expect(knocks.length).toBeGreaterThan(0);
    expect(knocks.length).toBeLessThanOrEqual(30);
    expect(new Set(knocks)).toEqual(new Set([17]));
    const more = [];
    for (let n = 0; n < 7; n++) {
      const next = await answered(relayed, ...told);
      more.push(next.answer !== undefined);
      next.stream.abort(new Error("enough"));
      // Only one try is under way at a time.
      await until(() => next.stream.status !== "open");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(more.filter((one) => one)).toHaveLength(5);
  });

  it("is punched towards no address that is not of that form, is outside of the ranges, or is a service's", async () => {
    const { relayed } = await scene(true, { ranges: ["127.0.0.1/32"] });
    const messages: readonly (readonly Uint8Array[])[] = [
      offer("/ip4/127.0.0.2/udp/40000"),
      offer("/ip4/127.0.0.1/udp/53"),
      offer("/ip4/127.0.0.1/tcp/40000"),
      [Uint8Array.of(9, 9, 9)],
      [Uint8Array.of(1), new Uint8Array(16), Uint8Array.of(255, 255, 255)],
    ];
    for (const message of messages) expect((await answered(relayed, ...message)).answer).toBeUndefined();
    expect((await answered(relayed, ...offer("/ip4/127.0.0.1/udp/40000"))).answer?.[0]).toBe(1);
  });

  it("is nobody's whose turn it is not, or who is connected directly; who has not greeted has no witness", async () => {
    const told = offer("/ip4/127.0.0.1/udp/40000");
    const after = await scene(false);
    expect((await answered(after.relayed, ...told)).answer).toBeUndefined();
    const direct = await after.node.dial(multiaddr(after.relay.addresses()[0]!));
    expect((await answered(direct, ...told)).answer).toBeUndefined();
    const peers = new Map<string, Standing>();
    const stranger = await up(3, {
      relay: true,
      listen: ["/ip4/127.0.0.1/tcp/0"],
      standingOf: (id) => peers.get(id) ?? "nobody",
    });
    const asking = await (await hostile(true, stranger.peer)).dial(multiaddr(stranger.addresses()[0]!));
    const stream = await asking.newStream(WITNESS);
    const messages = new SmallMessages(stream, AbortSignal.timeout(500));
    await expect(messages.read()).rejects.toThrow("took too long");
  });
});

it("an address is judged by where the teller is, as every other that somebody tells of", async () => {
  const gater = {
    denyDialMultiaddr: (address: { toString(): string }) => !new HearsayDial().permits(multiaddr(`${address}`)),
  };
  const tells = (host: string, from: string) =>
    mayTell(
      { host, port: 40_000 },
      new HearsayDial().tellerOf(multiaddr(`/ip4/${from}/tcp/9000/p2p/${RELAY}/p2p-circuit`)),
      gater,
    );
  expect(await tells("203.0.113.7", "198.51.100.1")).toBe(true);
  // A relay on the same network or machine carries others from elsewhere, too.
  for (const from of ["198.51.100.1", "10.0.0.9", "127.0.0.1"]) {
    for (const host of ["127.0.0.1", "10.0.0.1", "192.168.1.255", "224.0.0.1", "::1", "fe80::1"]) {
      expect([from, host, await tells(host, from)]).toEqual([from, host, false]);
    }
  }
});
