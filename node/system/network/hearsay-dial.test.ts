/** Names and tables of addresses as hearsay: what they lead to is judged, not what they are called. */
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { noise } from "@chainsafe/libp2p-noise";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterEach, describe, expect, it } from "vitest";
import { HearsayDial, type LookUp } from "./hearsay-dial.ts";
import { createLibp2pTransport } from "./libp2p.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "./transport.suite.ts";

const running: { stop(): Promise<void> | void }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "inside.example": ["10.1.2.3"],
  "here.example": ["127.0.0.1"],
  "here6.example": ["::1"],
  "outside.example": ["192.0.2.7"],
  "both.example": ["192.0.2.7", "127.0.0.1"],
};
const lookUp: LookUp = async (name) =>
  (NAMES[name] ?? []).map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));

/** A node whose connections come from such addresses. */
function nodeWith(connections: readonly string[], own: readonly string[] = []): HearsayDial {
  const dial = new HearsayDial(lookUp);
  dial.attach(() => ({ connections: connections.map((one) => multiaddr(one)), own: own.map((one) => multiaddr(one)) }));
  return dial;
}
const OUTSIDE = "/ip4/198.51.100.1/tcp/1";
const INSIDE = "/ip4/10.0.0.1/tcp/1";
const HERE = "/ip4/127.0.0.1/tcp/1";
const RELAY = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const HERE_THROUGH_RELAY = `${HERE}/p2p/${RELAY}/p2p-circuit`;
const texts = async (found: Promise<readonly { toString(): string }[]>): Promise<string[]> => (await found).map(String);

describe("a name that somebody tells of", () => {
  it("is dialled by the addresses that it leads to, as far as these may be dialled on its word", async () => {
    const dial = nodeWith([OUTSIDE]);
    const targets = (name: string, rest = "/tcp/1") => texts(dial.targets(`/dns4/${name}${rest}`));
    expect(await targets("outside.example")).toEqual(["/ip4/192.0.2.7/tcp/1"]);
    expect(await targets("both.example")).toEqual(["/ip4/192.0.2.7/tcp/1"]);
    for (const name of ["inside.example", "here.example", "nowhere.example"]) expect(await targets(name)).toEqual([]);
    expect(await texts(dial.targets("/dns/here6.example/tcp/1"))).toEqual([]);
    // A certificate is for the name.
    expect(await targets("outside.example", "/tcp/1/tls/ws")).toEqual(["/dns4/outside.example/tcp/1/tls/ws"]);
    expect(await targets("both.example", "/tcp/1/tls/ws")).toEqual([]);
  });

  it("leads inside on the word of who is inside, and of nobody else", async () => {
    const dial = nodeWith([OUTSIDE]);
    const address = "/dns4/inside.example/tcp/1";
    expect(dial.believable([address], ["private"])).toEqual([address]);
    expect(await texts(dial.targets(address))).toEqual(["/ip4/10.1.2.3/tcp/1"]);
    expect(dial.believable(["/dns4/here.example/tcp/1"], ["private"])).toHaveLength(1);
    expect(await texts(dial.targets("/dns4/here.example/tcp/1"))).toEqual([]);
  });

  it("is told by whom a relay carries as by somebody from elsewhere, unless the relay listens on this machine alone", async () => {
    const dial = nodeWith([HERE_THROUGH_RELAY]);
    const from = multiaddr(HERE_THROUGH_RELAY);
    const tellers = () => [dial.tellerOf(from), ...dial.tellersNow()];
    expect(tellers()).toEqual(["public", "public"]);
    dial.listens(RELAY, [multiaddr(HERE), multiaddr(INSIDE)]);
    expect(tellers()).toEqual(["public", "public"]);
    dial.listens(RELAY, [multiaddr(HERE)]);
    expect(tellers()).toEqual(["machine", "machine"]);
    expect(dial.tellerOf(multiaddr(`${INSIDE}/p2p/${RELAY}/p2p-circuit`))).toBe("public");
    expect([HERE, INSIDE, OUTSIDE].map((one) => dial.tellerOf(multiaddr(one)))).toEqual([
      "machine",
      "private",
      "public",
    ]);
    dial.left(RELAY);
    expect(tellers()).toEqual(["public", "public"]);
  });

  it("is not dialled over a real network where it leads to this machine; a name that was given is", async () => {
    let knocks = 0;
    const server: Server = createServer((socket) => {
      knocks++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    running.push({ stop: () => void server.close() });
    const { port } = server.address() as { port: number };
    const seed = new Uint8Array(32).fill(1);
    const found: LookUp = async () => [{ address: "127.0.0.1", family: 4 }];
    const peer = await createLibp2pTransport(
      { logger: silentLogger, lookUp: found },
      { seed, listen: [], connectionsMax: 8, ...SUITE_LIMITS },
    );
    running.push(peer);
    await peer.start();
    const address = `/dns4/localhost.example/tcp/${port}`;
    await expect(peer.dial(address, patient(), { isHearsay: true })).rejects.toMatchObject({ code: "DIAL_FAILED" });
    expect(await peer.reaches(address, patient())).toBe(false);
    expect(knocks).toBe(0);
    await expect(peer.dial(`/ip4/127.0.0.1/tcp/${port}`, patient())).rejects.toMatchObject({ code: "DIAL_FAILED" });
    expect(knocks).toBeGreaterThan(0);
  });
});

/** This machine as others see it; undefined where it has no address but its own. */
const outward = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === "IPv4" && !one.internal)?.address;

const field = (tag: number, bytes: Uint8Array): Uint8Array => Uint8Array.from([tag, bytes.length, ...bytes]);

/** A member that answers every question to its table with a peer at an address of its choice. */
async function createLiar(network: string, told: string, victim: string) {
  const liar = await createLibp2p({
    addresses: { listen: [`/ip4/${outward}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping() },
  });
  running.push(liar);
  const nobody = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
  const peer = Uint8Array.from([
    ...field(0x0a, nobody.toMultihash().bytes),
    ...field(0x12, multiaddr(told).bytes),
    ...[0x18, 1],
  ]);
  // FIND_NODE, with one peer that is closer.
  const answer = Uint8Array.from([0x08, 4, ...field(0x42, peer)]);
  let asked = 0;
  await liar.handle(`/weft/${network.slice(0, 16)}/kad/1.0.0`, (stream) => {
    stream.addEventListener("message", () => {
      asked++;
      stream.send(Uint8Array.from([answer.length, ...answer]));
    });
  });
  await liar.start();
  await liar.dial(multiaddr(victim));
  return { nobody: nobody.toString(), asked: () => asked };
}

describe("what the library dials by itself", () => {
  it("is what this peer has decided, and else what anybody who may have told of it is believed", async () => {
    const dial = nodeWith([OUTSIDE, INSIDE, HERE]);
    const decided = [multiaddr("/ip4/10.0.0.9/tcp/1/p2p-circuit")];
    const asks = (...addresses: string[]) => addresses.map((one) => dial.permits(multiaddr(one)));
    expect(asks("/ip4/10.0.0.9/tcp/1", "/ip4/192.0.2.7/tcp/1", "/dns4/outside.example/tcp/1")).toEqual([
      false,
      true,
      false,
    ]);
    await dial.decided(decided, async () => {
      expect(asks("/ip4/10.0.0.9/tcp/1", "/ip4/10.0.0.9/tcp/1/p2p-circuit", "/ip4/10.0.0.8/tcp/1")).toEqual([
        true,
        true,
        false,
      ]);
    });
    expect(asks("/ip4/10.0.0.9/tcp/1")).toEqual([false]);
  });

  it.each([
    [[OUTSIDE], ["public"]],
    [[OUTSIDE, HERE], ["public"]],
    [[INSIDE, HERE], ["private"]],
    [[HERE], ["machine"]],
    [[], ["private"]],
  ])("is believed of who is farthest away: %s", (connections, expected) => {
    expect(nodeWith(connections, [HERE, INSIDE]).tellersNow()).toEqual(expected);
  });

  it("is nothing of this machine that a table of addresses tells of, where somebody is connected from elsewhere", async (test) => {
    if (outward === undefined) test.skip("this machine has no address that others see");
    const network = "0123456789abcdef".repeat(4);
    let knocks = 0;
    const server: Server = createServer((socket) => {
      knocks++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    running.push({ stop: () => void server.close() });
    const { port } = server.address() as { port: number };
    const victim = await createLibp2pTransport(
      { logger: silentLogger },
      {
        ...{ seed: new Uint8Array(32).fill(1), listen: [`/ip4/${outward}/tcp/0`], connectionsMax: 32, ...SUITE_LIMITS },
        reach: { network, table: true },
      },
    );
    running.push(victim);
    await victim.start();
    const found: string[] = [];
    victim.onDiscovered((addresses) => void found.push(...addresses));
    const liar = await createLiar(network, `/ip4/127.0.0.1/tcp/${port}`, victim.addresses()[0]!);
    await until(() => liar.asked() > 0);
    // As long as the peer that it was told of would take to be asked.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(knocks).toBe(0);
    expect(found.filter((address) => address.includes(`/tcp/${port}/`))).toEqual([]);
  });
});
