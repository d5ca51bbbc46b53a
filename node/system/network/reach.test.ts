import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../../protocol/stream-protocols.ts";
import type { Transport } from "../../interface/transport.ts";
import { addressFilter } from "./address-range.ts";
import { createLibp2pTransport, type Libp2pOptions } from "./libp2p.ts";
import { quicTransport, type ReachOptions } from "./reach.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "./transport.suite.ts";

const NETWORK = "0123456789abcdef".repeat(4);
const PROTOCOL = STREAM_PROTOCOLS.heads;
const LOOPBACK = "/ip4/127.0.0.1/tcp/0";

const started: Transport[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((transport) => transport.stop()));
});

async function up(
  seed: number,
  {
    listen = [LOOPBACK],
    admits,
    ...reach
  }: { listen?: readonly string[]; admits?: (peer: PeerId) => boolean } & Partial<ReachOptions> = {},
): Promise<Transport> {
  const options: Libp2pOptions = {
    seed: new Uint8Array(32).fill(seed),
    listen,
    connectionsMax: 32,
    ...SUITE_LIMITS,
    reach: { network: NETWORK, ...reach },
  };
  const transport = await createLibp2pTransport({ logger: silentLogger, ...(admits && { admits }) }, options);
  await transport.handle(PROTOCOL, (stream) => stream.sink(stream.source));
  started.push(transport);
  await transport.start();
  return transport;
}

const dial = (from: Transport, address: string): Promise<PeerId> => from.dial(address, patient());

async function echoed(from: Transport, to: PeerId, bytes: Uint8Array): Promise<number> {
  const stream = await from.open(to, PROTOCOL, patient());
  let count = 0;
  const read = async (): Promise<void> => {
    for await (const chunk of stream.source) count += chunk.byteLength;
  };
  await Promise.all([read(), stream.sink(chunksOf(bytes))]);
  return count;
}

function* chunksOf(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 60_000) yield bytes.subarray(at, at + 60_000);
}

/** The fewer of the bytes sent and received. */
const crossed = (transport: Transport): number => Math.min(...Object.values(transport.bytes()));

const circuitOf = (transport: Transport): string | undefined =>
  transport.addresses().find((address) => address.includes("/p2p-circuit"));

describe("reaching peers", () => {
  it("carries a peer that only dials outwards through a relaying member, without a limit of bytes", async () => {
    const relay = await up(1, { relay: true });
    const inside = await up(2, { listen: [], throughRelays: true });
    const other = await up(3);
    await dial(inside, relay.addresses()[0]!);
    await until(() => circuitOf(inside) !== undefined);
    expect(await dial(other, circuitOf(inside)!)).toBe(inside.peer);
    // Circuit relay v2 ends what it does not trust after 128 KiB.
    expect(await echoed(other, inside.peer, new Uint8Array(1_000_000))).toBe(1_000_000);
  });

  it("relays for nobody that the gate does not admit", async () => {
    const inside = await up(2, { listen: [], throughRelays: true });
    const other = await up(3);
    const stranger = await up(4);
    const relay = await up(1, { relay: true, admits: (peer) => peer !== stranger.peer });
    await dial(inside, relay.addresses()[0]!);
    await until(() => circuitOf(inside) !== undefined);
    await expect(dial(stranger, circuitOf(inside)!)).rejects.toMatchObject({ code: "DIAL_FAILED" });
    expect(await dial(other, circuitOf(inside)!)).toBe(inside.peer);
  });

  it("does not relay unless told to", async () => {
    const plain = await up(1);
    const inside = await up(2, { listen: [], throughRelays: true });
    const other = await up(3);
    await dial(inside, plain.addresses()[0]!);
    await dial(other, plain.addresses()[0]!);
    const address = `${plain.addresses()[0]}/p2p-circuit/p2p/${inside.peer}`;
    await expect(dial(other, address)).rejects.toMatchObject({ code: "DIAL_FAILED" });
    expect(circuitOf(inside)).toBeUndefined();
  });

  it("speaks over WebSocket", async () => {
    const a = await up(1);
    const b = await up(2, { listen: ["/ip4/127.0.0.1/tcp/0/ws"] });
    expect(b.addresses()[0]).toContain("/ws/");
    await dial(a, b.addresses()[0]!);
    expect(await echoed(a, b.peer, new Uint8Array(200_000))).toBe(200_000);
    expect(crossed(a)).toBeGreaterThanOrEqual(200_000);
    expect(crossed(a)).toBeLessThan(300_000);
  });

  it("speaks over QUIC where its binding loads", async (test) => {
    if ((await quicTransport()) === undefined) test.skip("no QUIC binding for this machine");
    const a = await up(1, { listen: ["/ip4/127.0.0.1/udp/0/quic-v1"] });
    const b = await up(2, { listen: ["/ip4/127.0.0.1/udp/0/quic-v1"] });
    await dial(a, b.addresses()[0]!);
    expect(await echoed(a, b.peer, new Uint8Array(200_000))).toBe(200_000);
    expect(crossed(a)).toBeGreaterThanOrEqual(200_000);
    expect(crossed(a)).toBeLessThan(300_000);
  });

  it("finds a neighbour's neighbour in the members' table", async () => {
    const [a, b, c] = [await up(1, { table: true }), await up(2, { table: true }), await up(3, { table: true })];
    const found = new Set<string>();
    a.onDiscovered((addresses) => {
      for (const address of addresses) found.add(address);
    });
    await dial(b, c.addresses()[0]!);
    await dial(a, b.addresses()[0]!);
    await until(() => found.has(c.addresses()[0]!));
  });

  it("tells the addresses that it is told to announce", async () => {
    const announced = "/ip4/203.0.113.7/tcp/9000";
    const a = await up(1, { announce: [announced] });
    expect(a.addresses()).toEqual([`${announced}/p2p/${a.peer}`]);
  });

  it("neither dials nor takes connections outside of its ranges", async () => {
    const open = await up(1);
    const closed = await up(2, { ranges: ["10.0.0.0/8", "fd00::/8"] });
    const local = await up(3, { ranges: ["127.0.0.0/8"] });
    await expect(dial(closed, open.addresses()[0]!)).rejects.toMatchObject({ code: "DIAL_FAILED" });
    await expect(dial(open, closed.addresses()[0]!)).rejects.toMatchObject({ code: "DIAL_FAILED" });
    expect(await dial(local, open.addresses()[0]!)).toBe(open.peer);
  });

  it("judges a range by its bits, and names what is none", () => {
    const isWithin = addressFilter(["10.1.0.0/16", "fd00::/8"]);
    const judged = ["/ip4/10.1.2.3/tcp/1", "/ip4/10.2.0.1/tcp/1", "/ip6/fd12::1/tcp/1", "/ip6/2001:db8::1/tcp/1"].map(
      (text) => isWithin(multiaddr(text)),
    );
    expect(judged).toEqual([true, false, true, false]);
    for (const text of ["10.0.0.0", "10.0.0.0/33", "host/8", "10.0.0.0/", "::/129"]) {
      expect(() => addressFilter([text])).toThrow(`${text} is no address range`);
    }
  });
});

describe("multicast DNS", () => {
  it("finds peers of the same network on the local network, and no others", async () => {
    const [a, b] = [await up(1, { mdns: true }), await up(2, { mdns: true })];
    const stranger = await up(3, { mdns: true, network: "f".repeat(64) });
    const found = new Set<string>();
    a.onDiscovered((addresses) => {
      for (const address of addresses) found.add(address.replace(/.*\/p2p\//, ""));
    });
    await until(() => found.has(b.peer));
    expect(found).not.toContain(stranger.peer);
  });
});
