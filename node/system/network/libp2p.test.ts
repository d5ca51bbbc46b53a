import { type AddressInfo, connect as connectTo, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { noise } from "@chainsafe/libp2p-noise";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { describe, expect, it } from "vitest";
import { announcementTopic } from "../../../protocol/gossip-topics.ts";
import { parseNetworkId } from "../../../protocol/network-id.ts";
import { STREAM_PROTOCOLS } from "../../../protocol/stream-protocols.ts";
import { CONNECTION_LIMITS } from "../../exchange/exchange-limits.ts";
import { EventLoopWatch } from "../platform/event-loop-watch.ts";
import { createLibp2pTransport, type Libp2pOptions } from "./libp2p.ts";
import { patient, SUITE_LIMITS, silentLogger, transportSuite, until } from "./transport.suite.ts";

const { pendingPerAddressMax: PENDING_PER_ADDRESS_MAX } = CONNECTION_LIMITS;

const options = (seed: number, listen = "/ip4/127.0.0.1/tcp/0"): Libp2pOptions => ({
  seed: new Uint8Array(32).fill(seed),
  listen: [listen],
  connectionsMax: 32,
  pendingPerAddressMax: PENDING_PER_ADDRESS_MAX,
  ...SUITE_LIMITS,
});

transportSuite("libp2p", () => {
  let count = 0;
  return { create: (dependencies) => createLibp2pTransport(dependencies, options(++count)) };
});

describe("the libp2p transport", () => {
  it("has the identity of its seed, the same every time", async () => {
    const [a, b, c] = await Promise.all(
      [1, 1, 2].map((seed) => createLibp2pTransport({ logger: silentLogger }, options(seed))),
    );
    expect(a!.peer).toBe(b!.peer);
    expect(a!.peer).not.toBe(c!.peer);
    expect(a!.peer).toMatch(/^12D3KooW/);
  });

  it("says PORT_IN_USE with the address when another peer has the port", async () => {
    const first = await createLibp2pTransport({ logger: silentLogger }, options(1));
    await first.start();
    try {
      const address = first.addresses()[0]!.replace(/\/p2p\/.*$/, "");
      const second = await createLibp2pTransport({ logger: silentLogger }, options(2, address));
      await expect(second.start()).rejects.toMatchObject({
        code: "PORT_IN_USE",
        message: expect.stringContaining(address),
      });
      await second.stop();
    } finally {
      await first.stop();
    }
  });

  const hasIp6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
  it.skipIf(!hasIp6)(
    "listens over IPv4 and IPv6 at one port, and refuses to start where another program has the half of it",
    async () => {
      const free = createServer().listen({ host: "::1", port: 0 });
      await new Promise((resolve) => free.once("listening", resolve));
      const { port } = free.address() as AddressInfo;
      const both = { ...options(1), listen: [`/ip4/127.0.0.1/tcp/${port}`, `/ip6/::1/tcp/${port}`] };
      const half = await createLibp2pTransport({ logger: silentLogger }, both);
      const taken = { code: "PORT_IN_USE", message: expect.stringContaining(`/ip6/::1/tcp/${port} is in use`) };
      await expect(half.start()).rejects.toMatchObject(taken);
      await half.stop();
      await new Promise((resolve) => free.close(resolve));
      const [whole, caller] = await Promise.all(
        [both, { ...options(2), listen: [] }].map((one) => createLibp2pTransport({ logger: silentLogger }, one)),
      );
      await Promise.all([whole!.start(), caller!.start()]);
      try {
        const address = whole!.addresses().find((one) => one.startsWith("/ip6/"))!;
        expect(await caller!.dial(address, patient())).toBe(whole!.peer);
      } finally {
        await Promise.all([whole!.stop(), caller!.stop()]);
      }
    },
  );

  it("says LISTEN_FAILED for an address that is not this machine's", async () => {
    const transport = await createLibp2pTransport({ logger: silentLogger }, options(1, "/ip4/192.0.2.1/tcp/4001"));
    await expect(transport.start()).rejects.toMatchObject({ code: "LISTEN_FAILED" });
    await transport.stop();
  });

  it("takes no connection of an identity that is no Ed25519 key", async () => {
    const other = await createLibp2p({
      privateKey: await generateKeyPair("secp256k1"),
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
    });
    const transport = await createLibp2pTransport({ logger: silentLogger }, options(1));
    await Promise.all([transport.start(), other.start()]);
    try {
      const met: string[] = [];
      transport.onConnect((peer) => met.push(peer));
      // The dialler may believe for a moment that it is connected: its side is done before the gate has answered.
      await other.dial(multiaddr(transport.addresses()[0])).catch(() => {});
      await until(() => other.getConnections().length === 0);
      expect([...met, ...transport.connected()]).toEqual([]);
    } finally {
      await Promise.all([transport.stop(), other.stop()]);
    }
  });

  it("has room for others however many silent connections one address begins", async () => {
    const transport = await createLibp2pTransport({ logger: silentLogger }, options(1));
    const friend = await createLibp2pTransport({ logger: silentLogger }, options(2));
    await Promise.all([transport.start(), friend.start()]);
    const port = Number(/tcp\/(\d+)/.exec(transport.addresses()[0]!)?.[1]);
    let closed = 0;
    const silent = Array.from({ length: 40 }, () =>
      connectTo({ host: "127.0.0.1", port, localAddress: "127.0.0.2" })
        .on("error", () => {})
        .on("close", () => closed++)
        .resume(),
    );
    try {
      await until(() => closed === silent.length - PENDING_PER_ADDRESS_MAX);
      expect(await friend.dial(transport.addresses()[0]!, patient())).toBe(transport.peer);
      expect(closed).toBe(silent.length - PENDING_PER_ADDRESS_MAX);
    } finally {
      for (const socket of silent) socket.destroy();
      await Promise.all([transport.stop(), friend.stop()]);
    }
  });

  it("names whoever has the event loop: a stream that is answered, also after it waited for bytes, and gossip", async () => {
    // Time passes only where it is held.
    let time = 0;
    const hold = (ms: number): void => void (time += ms);
    const loop = new EventLoopWatch({ logger: silentLogger, onReport: () => {}, now: () => time });
    const [asking, answering] = await Promise.all([
      createLibp2pTransport({ logger: silentLogger }, options(1)),
      createLibp2pTransport({ logger: silentLogger, loop }, options(2)),
    ]);
    const topic = announcementTopic(parseNetworkId("5".repeat(64)));
    const longest = (): string | undefined => loop.report().longest?.handler;
    await answering.handle(STREAM_PROTOCOLS.heads, async ({ source, sink }) => {
      for await (const chunk of source) hold(200 + chunk.byteLength);
      await sink([new Uint8Array(1)]);
    });
    for (const transport of [asking, answering]) {
      transport.subscribe(topic, {
        validate: () => {
          hold(400);
          return { verdict: "ignore" };
        },
        deliver: () => {},
      });
      await transport.start();
    }
    loop.start();
    try {
      await asking.dial(answering.addresses()[0]!, patient());
      const stream = await asking.open(answering.peer, STREAM_PROTOCOLS.heads, patient());
      await stream.sink([new Uint8Array(8)]);
      for await (const _ of stream.source);
      // What it is told by waits for the end of the turn.
      await until(() => longest() === "/weft/heads/1, answered");
      const afterGossip = async (): Promise<string | undefined> => {
        await asking.publish(topic, crypto.getRandomValues(new Uint8Array(8)));
        return longest();
      };
      await expect.poll(afterGossip, { timeout: 20_000 }).toBe("gossip of announcements, judged");
    } finally {
      loop.stop();
      await Promise.all([asking.stop(), answering.stop()]);
    }
  });

  it("closes the connection of a peer that the gate does not admit", async () => {
    const stranger = await createLibp2pTransport({ logger: silentLogger }, options(1));
    const friend = await createLibp2pTransport({ logger: silentLogger }, options(2));
    const guarded = await createLibp2pTransport(
      { logger: silentLogger, admits: (peer) => peer !== stranger.peer },
      options(3),
    );
    const all = [stranger, friend, guarded];
    await Promise.all(all.map((transport) => transport.start()));
    try {
      const met: string[] = [];
      guarded.onConnect((peer) => met.push(peer));
      const address = guarded.addresses()[0]!;
      await friend.dial(address, patient());
      // The dialler may believe for a moment that it is connected: its side is done before the gate has answered.
      await stranger.dial(address, patient()).catch(() => {});
      await until(() => stranger.connected().length === 0);
      await expect(guarded.dial(stranger.addresses()[0]!, patient())).rejects.toMatchObject({
        code: "DIAL_FAILED",
      });
      expect(met).toEqual([friend.peer]);
      expect(guarded.connected()).toEqual([friend.peer]);
    } finally {
      await Promise.all(all.map((transport) => transport.stop()));
    }
  });
});
