/** What hostile programs, which speak libp2p and nothing of weft, get of relays, circuits and hole punches. */
import { networkInterfaces } from "node:os";
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterEach, expect, it } from "vitest";
import type { PeerId } from "../../../protocol/peer-id.ts";
import type { Standing, Transport } from "../../interface/transport.ts";
import { createLibp2pTransport } from "./libp2p.ts";
import type { ReachOptions } from "./reach.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "./transport.suite.ts";

const HOP = "/libp2p/circuit/relay/0.2.0/hop";
const STOP = "/libp2p/circuit/relay/0.2.0/stop";
/** Messages with their lengths before them: RESERVE, and the status OK. */
const RESERVE = Uint8Array.of(2, 8, 0);
const STATUS_OK = [0x28, 100] as const;

const running: { stop(): Promise<void> | void }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

async function up(
  seed: number,
  {
    standingOf,
    listen = ["/ip4/127.0.0.1/tcp/0"],
    ...reach
  }: { standingOf?: (peer: PeerId) => Standing; listen?: readonly string[] } & Partial<ReachOptions> = {},
): Promise<Transport> {
  const made = await createLibp2pTransport(
    { logger: silentLogger, ...(standingOf && { standingOf }) },
    {
      ...{ seed: new Uint8Array(32).fill(seed), listen, connectionsMax: 32, ...SUITE_LIMITS },
      reach: { network: "0123456789abcdef".repeat(4), ...reach },
    },
  );
  running.push(made);
  await made.start();
  return made;
}

async function hostile(listen: readonly string[] = []): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  });
  running.push(node);
  return node;
}

const join = (node: Libp2p, address: string): Promise<Connection> => node.dial(multiaddr(address), { force: true });

/** The same for many who come from one address, of which the other side takes no more than so many a second: whom it refuses comes again. */
async function joinInTurn(node: Libp2p, address: string, signal = patient()): Promise<Connection> {
  for (;;) {
    try {
      return await join(node, address);
    } catch (error) {
      if (signal.aborted || !String(error).includes("ECONNRESET")) throw error;
    }
  }
}

/** The first bytes that come back; none where the stream ends without. */
async function answered(stream: Stream, message: Uint8Array, signal = patient()): Promise<readonly number[]> {
  const answer = Promise.withResolvers<readonly number[]>();
  stream.addEventListener("message", ({ data }) => answer.resolve([...data.subarray()]));
  stream.addEventListener("close", () => answer.resolve([]));
  signal.addEventListener("abort", () => answer.resolve([]));
  if (stream.status !== "open") return [];
  stream.send(message);
  return answer.promise;
}

async function hasPlace(connection: Connection, waitMs = 5_000): Promise<boolean> {
  const stream = await connection.newStream(HOP, { maxOutboundStreams: 1024 });
  const bytes = await answered(stream, RESERVE, AbortSignal.timeout(waitMs));
  return bytes.some((byte, at) => byte === STATUS_OK[0] && bytes[at + 1] === STATUS_OK[1]);
}

const circuitsOf = (transport: Transport): readonly string[] =>
  transport.addresses().filter((address) => address.includes("/p2p-circuit"));

it("a place at a relay is nobody's who has not greeted, and waits for a greeting that is under way", async () => {
  const standings = new Map<string, Standing>();
  const relay = await up(1, { relay: true, standingOf: (peer) => standings.get(peer) ?? "nobody" });
  const [stranger, newcomer] = [await hostile(), await hostile()];
  const refused = hasPlace(await join(stranger, relay.addresses()[0]!), 600);
  const granted = hasPlace(await join(newcomer, relay.addresses()[0]!));
  setTimeout(() => standings.set(newcomer.peerId.toString(), "guest"), 200);
  expect([await refused, await granted]).toEqual([false, true]);
});

it("places of those who leave are free again, and guests of one address have a share", async () => {
  const relay = await up(1, { relay: true, standingOf: () => "guest" });
  for (let n = 0; n < 20; n++) {
    const node = await hostile();
    expect(await hasPlace(await joinInTurn(node, relay.addresses()[0]!))).toBe(true);
    await node.stop();
  }
  const nodes = await Promise.all(Array.from({ length: 18 }, () => hostile()));
  const connections = [];
  for (const node of nodes) connections.push(await joinInTurn(node, relay.addresses()[0]!));
  const places = [];
  for (const connection of connections) places.push(await hasPlace(connection));
  expect(places.filter((has) => has)).toHaveLength(16);
});

/** This machine as others see it; undefined where it has no address but its own. */
const outward = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === "IPv4" && !one.internal)?.address;

it.each([
  ["elsewhere, too", true],
  ["on this machine alone", false],
])(
  "whom a relay carries may tell of what is near the relay only where that listens nowhere else: %s",
  async (_, isWide) => {
    const wide = isWide && outward !== undefined ? [`/ip4/${outward}/tcp/0`] : [];
    if (isWide && outward === undefined) return;
    const relay = await up(1, { relay: true, listen: ["/ip4/127.0.0.1/tcp/0", ...wide] });
    const here = relay.addresses().find((address) => address.startsWith("/ip4/127.")) ?? "";
    const victim = await up(2, { throughRelays: true, listen: [] });
    await victim.dial(here, patient());
    await until(() => circuitsOf(victim).length > 0);
    const guest = await up(3, { listen: [] });
    await guest.dial(circuitsOf(victim).find((address) => address.startsWith("/ip4/127.")) ?? "", patient());
    const told = ["/ip4/127.0.0.1/tcp/9", "/ip4/10.0.0.1/tcp/9", "/ip4/192.0.2.7/tcp/9"];
    await until(() => victim.connected().includes(guest.peer));
    const believed = (): readonly string[] => victim.believable(told, guest.peer);
    if (isWide) expect(believed()).toEqual(told.slice(2));
    // The relay says in its own time where it listens.
    else await until(() => believed().length === told.length);
    expect(victim.believable(told, relay.peer)).toEqual(told);
  },
);

it("one peer does not fill a relay with requests", async () => {
  const relay = await up(1, { relay: true, standingOf: () => "guest" });
  const connection = await join(await hostile(), relay.addresses()[0]!);
  const streams: Stream[] = [];
  for (let n = 0; n < 40; n++) streams.push(await connection.newStream(HOP, { maxOutboundStreams: 1024 }));
  await until(() => streams.filter(({ status }) => status === "open").length === 32);
});

it("nobody is made to listen at a relay that calls unasked", async () => {
  for (const throughRelays of [false, true]) {
    const victim = await up(throughRelays ? 3 : 2, { throughRelays, standingOf: () => "nobody" });
    const node = await hostile(["/ip4/127.0.0.1/tcp/0"]);
    await node.handle(HOP, (stream) => void stream.send(reservation([])));
    const connection = await join(node, victim.addresses()[0]!);
    const call = await connection.newStream(STOP).catch(() => undefined);
    expect(call === undefined ? [] : await answered(call, Uint8Array.of(2, 8, 0))).toEqual([]);
    expect(circuitsOf(victim)).toEqual([]);
  }
});

/** What a relay says of a place: OK, an hour, and its addresses. */
function reservation(addresses: readonly string[]): Uint8Array {
  const bytesOf = (field: number, bytes: Uint8Array): number[] => [8 * field + 2, ...varint(bytes.length), ...bytes];
  const expire = varint(Math.floor(Date.now() / 1000) + 3600);
  const place = [8, ...expire, ...addresses.flatMap((address) => bytesOf(2, multiaddr(address).bytes))];
  const message = [8, 2, ...bytesOf(3, Uint8Array.from(place)), ...STATUS_OK];
  return Uint8Array.from([...varint(message.length), ...message]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

it("a relay has no foreign addresses told in the name of whoever has a place there", async () => {
  const victim = await up(2, { throughRelays: true });
  const [other] = [await hostile()];
  const node = await hostile(["/ip4/127.0.0.1/tcp/0"]);
  const own = `/ip4/127.0.0.1/tcp/1/p2p/${node.peerId}`;
  const foreign = ["/unix/%2Ftmp%2Fsocket", `/ip4/203.0.113.7/tcp/22/p2p/${other!.peerId}`, `${own}/p2p-circuit`];
  const many = Array.from({ length: 100 }, (_, n) => `/ip4/203.0.113.8/tcp/${n + 1}`);
  await node.handle(HOP, async (stream) => {
    stream.send(reservation([...foreign, own, ...many]));
    await stream.close();
  });
  await join(node, victim.addresses()[0]!);
  await until(() => circuitsOf(victim).length > 0);
  const told = circuitsOf(victim);
  expect(told.length).toBeLessThanOrEqual(8);
  for (const address of told)
    expect(address).toMatch(new RegExp(`^/ip4/[^/]+/tcp/\\d+/p2p/${node.peerId}/p2p-circuit`));
});

it("a relay that is not admitted gets nobody's place, and one that carries nothing is not the only one", async () => {
  const standings = new Map<string, Standing>();
  const victim = await up(2, { throughRelays: true, standingOf: (peer) => standings.get(peer) ?? "known" });
  const [stranger, idle] = [await hostile(["/ip4/127.0.0.1/tcp/0"]), await hostile(["/ip4/127.0.0.1/tcp/0"])];
  standings.set(stranger.peerId.toString(), "nobody");
  standings.set(idle.peerId.toString(), "guest");
  let asked = 0;
  await stranger.handle(HOP, () => void asked++);
  await idle.handle(HOP, (stream) => void stream.send(reservation([])));
  await join(stranger, victim.addresses()[0]!);
  await join(idle, victim.addresses()[0]!);
  await until(() => circuitsOf(victim).some((address) => address.includes(idle.peerId.toString())));
  const relay = await up(1, { relay: true });
  await victim.dial(relay.addresses()[0]!, patient());
  await until(() => circuitsOf(victim).some((address) => address.includes(relay.peer)));
  expect(asked).toBe(0);
});

it("punches no hole for whoever is connected directly", async () => {
  const victim = await up(2);
  const connection = await join(await hostile(), victim.addresses()[0]!);
  const stream = await connection.newStream("/libp2p/dcutr");
  // A public address: others are dropped anyhow. It is dialled only after another message, which never comes.
  const address = multiaddr("/ip4/9.9.9.9/tcp/22").bytes;
  const connect = [8, 100, 18, address.length, ...address];
  expect(await answered(stream, Uint8Array.of(connect.length, ...connect))).toEqual([]);
});

it("one key has a few connections, however many it opens", async () => {
  const victim = await up(2);
  const node = await hostile();
  const connections: Connection[] = [];
  for (let n = 0; n < 8; n++) {
    const made = await join(node, victim.addresses()[0]!).catch(() => undefined);
    if (made !== undefined) connections.push(made);
  }
  await until(() => connections.filter(({ status }) => status === "open").length <= 4);
  expect(victim.links()).toHaveLength(4);
  expect(await (await up(3)).dial(victim.addresses()[0]!, patient())).toBe(victim.peer);
});
