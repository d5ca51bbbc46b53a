/** Whoever connects and says nothing, over QUIC and through relays, leaves room for others. */
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { noise } from "@chainsafe/libp2p-noise";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterEach, describe, expect, it } from "vitest";
import type { Transport } from "../../interface/transport.ts";
import { createLibp2pTransport, type Libp2pOptions } from "./libp2p.ts";
import { quicTransport } from "./reach.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "./transport.suite.ts";

const running: { stop(): Promise<void> | void }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

const PENDING_MAX = 2;
async function up(seed: number, options: Partial<Libp2pOptions> = {}): Promise<Transport> {
  const made = await createLibp2pTransport(
    { logger: silentLogger },
    {
      ...{ seed: new Uint8Array(32).fill(seed), listen: [], connectionsMax: 32, ...SUITE_LIMITS },
      ...{ pendingPerAddressMax: PENDING_MAX, ...options },
    },
  );
  running.push(made);
  await made.start();
  return made;
}

describe("over QUIC", () => {
  it("packets that begin nothing take no place, and who has shown an identity counts no longer", async (test) => {
    if ((await quicTransport()) === undefined) test.skip("no QUIC binding for this machine");
    const listen = ["/ip4/127.0.0.1/udp/0/quic-v1"];
    const victim = await up(1, { listen });
    const port = Number(/udp\/(\d+)/.exec(victim.addresses()[0]!)?.[1]);
    const noisy = createSocket("udp4");
    running.push({ stop: () => void noisy.close() });
    // Long headers of version 1 that nothing follows, and plain noise.
    for (let n = 0; n < 200; n++) {
      const bytes = new Uint8Array(1200).fill(n);
      bytes.set([0xc0, 0, 0, 0, 1, 8]);
      noisy.send(n % 2 === 0 ? bytes : bytes.subarray(7), port, "127.0.0.1");
    }
    // All of one address, and none of them leaves.
    for (let seed = 2; seed < 2 + PENDING_MAX + 2; seed++) {
      const friend = await up(seed, { listen });
      expect(await friend.dial(victim.addresses()[0]!, patient())).toBe(victim.peer);
    }
    await until(() => victim.connected().length === PENDING_MAX + 2);
  });
});

/** This machine as others see it; undefined where it has no address but its own. */
const outward = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === "IPv4" && !one.internal)?.address;

/** A node that says who it is to its relay, and to nobody behind it. */
async function silentBehind(relay: string) {
  let calls = 0;
  const node = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [
      (components) => {
        const real = noise()(components);
        const secureOutbound: typeof real.secureOutbound = (...call) =>
          calls++ === 0 ? real.secureOutbound(...call) : new Promise(() => {});
        return { protocol: real.protocol, secureInbound: real.secureInbound.bind(real), secureOutbound };
      },
    ],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  });
  running.push(node);
  await node.start();
  await node.dial(multiaddr(relay));
  return node;
}

describe("through a relay", () => {
  it("circuits that say nothing take the places of the relay, and friends come by another way", async (test) => {
    if (outward === undefined) test.skip("this machine has no address that others see");
    const reach = { network: "0123456789abcdef".repeat(4) };
    const relayed = { reach: { ...reach, relay: true }, pendingPerAddressMax: 16 };
    const relay = await up(1, { listen: ["/ip4/127.0.0.1/tcp/0"], ...relayed });
    const victim = await up(3, { listen: [`/ip4/${outward}/tcp/0`], reach: { ...reach, throughRelays: true } });
    await victim.dial(relay.addresses()[0]!, patient());
    const circuit = (): string | undefined => victim.addresses().find((address) => address.includes("/p2p-circuit"));
    await until(() => circuit() !== undefined);
    const direct = victim.addresses().find((address) => !address.includes("/p2p-circuit"))!;
    const friend = await up(4);
    const silent: AbortController[] = [];
    for (let n = 0; n < PENDING_MAX + 1; n++) {
      const node = await silentBehind(relay.addresses()[0]!);
      const end = new AbortController();
      silent.push(end);
      void node.dial(multiaddr(circuit()!), { signal: end.signal }).catch(() => undefined);
    }
    running.push({
      stop: () => {
        for (const one of silent) one.abort();
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await friend.dial(direct, patient())).toBe(victim.peer);
  });
});
