import { afterEach, describe, expect, it } from "vitest";
import { decodeAddresses, encodeAddresses } from "../../protocol/addresses.ts";
import { encodeCanonical } from "../../protocol/canonical-message.ts";
import { createSigner } from "../../protocol/envelope.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { AddressesSchema } from "../../protocol/wire_pb.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { silentLogger, until } from "../system/network/transport.suite.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { createDialer } from "./dialer.ts";
import {
  createTestPeer,
  MANIFEST,
  publish,
  roundsOf,
  signerOf,
  type TestNet,
  type TestPeer,
  type TestPeerOptions,
  thetaOf,
} from "./exchange.suite.ts";
import { EXCHANGE_DEFAULTS } from "./exchange-limits.ts";
import { collect, createImpostor, type Impostor } from "./impostor.suite.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});
const bounds = { streamsPerProtocolMax: 16, gossipBytesMax: 1024 };

function memoryNet(): TestNet & { readonly clock: VirtualClock } {
  const hub = createMemoryHub();
  return {
    clock: createVirtualClock(),
    transport: async (secretKey, logger) => hub.create({ logger }, { peer: createSigner(secretKey).peer, ...bounds }),
  };
}
const libp2pNet = (): TestNet => ({
  clock: createSystemClock(),
  transport: (seed, logger) =>
    createLibp2pTransport({ logger }, { seed, listen: ["/ip4/127.0.0.1/tcp/0"], connectionsMax: 16, ...bounds }),
});

interface DiallingPeer extends TestPeer {
  /** Every address it dialled. */
  readonly dialled: readonly string[];
  /** Every address it was told of. */
  readonly heard: readonly string[];
}

/** A peer with its dialer, wired like node/peer/peer.ts does it; it dials `bootstrap`. */
async function up(net: TestNet, options: TestPeerOptions, bootstrap: readonly string[] = []): Promise<DiallingPeer> {
  const peer = await createTestPeer(net, options);
  const { transport, exchange, store } = peer;
  const [dialled, heard]: [string[], string[]] = [[], []];
  const dial = transport.dial.bind(transport);
  transport.dial = (address, signal) => {
    dialled.push(address);
    return dial(address, signal);
  };
  const dialer = createDialer({ transport, store, clock: net.clock, logger: silentLogger }, { bootstrap });
  exchange.onAdmitted((other) => dialer.meet(other));
  exchange.onAddresses((addresses) => {
    heard.push(...addresses);
    dialer.hear(addresses);
  });
  stops.push(
    () => exchange.stop(),
    () => dialer.stop(),
  );
  await dialer.start();
  return { ...peer, dialled, heard };
}

/** A victim, and a neighbour past its handshake that says whatever a test wants. */
async function lied(exchange: TestPeerOptions["exchange"] = {}) {
  const net = memoryNet();
  const victim = await up(net, { seed: 1, exchange });
  const liar = await createImpostor(net, { seed: 9 });
  stops.push(() => liar.stop());
  await liar.transport.handle(STREAM_PROTOCOLS.addresses, async (stream) => void (await collect(stream.source)));
  await liar.enter(victim);
  const say = (message: Uint8Array) => liar.send(victim, STREAM_PROTOCOLS.addresses, [encodeFrame(message)]);
  return { net, victim, liar, say };
}
const raw = (address: readonly string[]): Uint8Array => encodeCanonical(AddressesSchema, { address: [...address] });
const nowhere = (i: number): string => `/memory/${1000 + i}/p2p/${signerOf(1 + (i % 250)).peer}`;

describe.each([
  ["memory", memoryNet, {}],
  ["libp2p", libp2pNet, { addressesIntervalMs: 20, addressesPerWindowMax: 1000 }],
] as const)("%s", (_, createNet, exchange) => {
  it("two peers that know only a third find each other, and go on when it stops", async () => {
    const net = createNet();
    const first = await up(net, { seed: 1, exchange });
    const bootstrap = first.transport.addresses();
    const bob = await up(net, { seed: 2, exchange }, bootstrap);
    await until(() => first.exchange.admitted().includes(bob.id));
    const carol = await up(net, { seed: 3, exchange }, bootstrap);
    await until(() => bob.exchange.admitted().includes(carol.id) && carol.exchange.admitted().includes(bob.id));
    await first.exchange.stop();
    await until(() => !bob.exchange.admitted().includes(first.id) && !carol.exchange.admitted().includes(first.id));
    await publish(bob, 2, 0);
    await publish(carol, 3, 0);
    await until(() => roundsOf(carol)[bob.id] === 0 && roundsOf(bob)[carol.id] === 0);
    expect(carol.exchange.latest().find(({ peer }) => peer === bob.id)?.theta).toEqual(thetaOf(2, 0));
    for (const peer of [bob, carol]) {
      expect(peer.dialled).not.toContain(peer.transport.addresses()[0]);
      expect(peer.exchange.counts().rejected).toBe(0);
    }
  });
});

describe("what a peer tells", () => {
  async function listener(net: TestNet, victim: TestPeer, seed: number): Promise<Impostor & { told: string[][] }> {
    const impostor = await createImpostor(net, { seed });
    const told: string[][] = [];
    await impostor.transport.handle(STREAM_PROTOCOLS.addresses, async (stream) => {
      told.push([...decodeAddresses((await collect(stream.source)).subarray(4))]);
    });
    stops.push(() => impostor.stop());
    await impostor.enter(victim);
    return { ...impostor, told };
  }

  it("is where it and its other neighbours are, again when one more comes, and not too often", async () => {
    const net = memoryNet();
    const teller = await up(net, { seed: 1 });
    const own = teller.transport.addresses();
    const first = await listener(net, teller, 11);
    await until(() => first.told.length === 1);
    const others = [await listener(net, teller, 12), await listener(net, teller, 13)];
    await until(() => others.every(({ told }) => told.length === 1));
    expect(first.told).toEqual([own]);
    expect(new Set(others[1]?.told[0])).toEqual(
      new Set([...own, ...first.transport.addresses(), ...(others[0]?.transport.addresses() ?? [])]),
    );
    net.clock.advance(EXCHANGE_DEFAULTS.addressesIntervalMs - 1);
    expect(first.told).toHaveLength(1);
    net.clock.advance(1);
    await until(() => first.told.length === 2);
    expect(new Set(first.told[1])).toEqual(
      new Set([...own, ...others.flatMap(({ transport }) => transport.addresses())]),
    );

    // Who leaves is no news; who comes back is.
    await others[1]?.transport.hangUp(teller.id);
    net.clock.advance(EXCHANGE_DEFAULTS.addressesIntervalMs);
    await others[1]?.enter(teller);
    await until(() => first.told.length === 3);
    expect(first.told[2]).toEqual(expect.arrayContaining([...(others[1]?.transport.addresses() ?? [])]));
  });

  it.each([
    ["until it does", 2, 3],
    ["a few times only", Infinity, 5],
  ])("is told again to who does not take it, %s", async (_, failures, times) => {
    const net = memoryNet();
    const teller = await up(net, { seed: 1 });
    const busy = await createImpostor(net, { seed: 11 });
    stops.push(() => busy.stop());
    let asked = 0;
    const told: (readonly string[])[] = [];
    await busy.transport.handle(STREAM_PROTOCOLS.addresses, async (stream) => {
      asked++;
      const message = await collect(stream.source);
      if (asked <= failures) throw new Error("not now");
      told.push(decodeAddresses(message.subarray(4)));
    });
    await busy.enter(teller);
    await until(() => {
      net.clock.advance(EXCHANGE_DEFAULTS.addressesIntervalMs / 40);
      return asked === times;
    });
    // Nothing is planned any more.
    await until(() => net.clock.waiting() === 0);
    expect(asked).toBe(times);
    expect(told).toEqual(failures < times ? [teller.transport.addresses()] : []);
  });

  it("is four addresses of a peer at most, only its own, loopback last, and only those that are addresses", async () => {
    const net = memoryNet();
    const teller = await up(net, { seed: 1 });
    const [talkative, other] = [signerOf(11).peer, signerOf(12).peer];
    const at = (host: string, peer = talkative): string => `/ip4/${host}/tcp/1/p2p/${peer}`;
    const said = [
      at("127.0.0.1"),
      at("192.0.2.1", other),
      at("192.0.2.2"),
      "nonsense",
      at("10.0.0.1"),
      at("192.0.2.2"),
    ];
    teller.transport.addressesOf = async (peer) => (peer === talkative ? [...said, "/ip6/::1/tcp/1"] : []);
    await listener(net, teller, 11);
    const second = await listener(net, teller, 12);
    await until(() => second.told.length === 1);
    const own = teller.transport.addresses();
    expect(second.told[0]).toEqual([...own, at("192.0.2.2"), at("10.0.0.1"), at("127.0.0.1")]);

    teller.transport.addressesOf = async (peer) =>
      Array.from({ length: 300 }, (_, i) => `/ip4/192.0.2.1/tcp/${i}/p2p/${peer}`);
    const third = await listener(net, teller, 13);
    await until(() => third.told.length === 1);
    expect(third.told[0]).toHaveLength(own.length + 2 * LIMITS.addressesPerPeerMax);
  });

  it("is no more than fits, and leaves no neighbour out for the many addresses of another", async () => {
    const net = memoryNet();
    const teller = await up(net, { seed: 1 });
    teller.transport.addressesOf = async (peer) =>
      Array.from({ length: 8 }, (_, i) => `/ip4/192.0.2.1/tcp/${i}/p2p/${peer}`);
    const neighbours: Impostor[] = [];
    for (let seed = 20; seed < 63; seed++) neighbours.push(await listener(net, teller, seed));
    const last = await listener(net, teller, 63);
    await until(() => last.told.length === 1);
    expect(last.told[0]).toHaveLength(LIMITS.addressesCountMax);
    for (const { signer } of neighbours) expect(last.told[0]?.join()).toContain(signer.peer);
  });
});

describe("a liar's addresses", () => {
  it.each([
    ["10,000 entries", raw(Array.from({ length: 10_000 }, () => ""))],
    ["10,000 addresses", raw(Array.from({ length: 10_000 }, (_, i) => nowhere(i)))],
    ["bytes that do not decode", new Uint8Array(50).fill(255)],
    ["a form that is not canonical", Uint8Array.of(...raw([nowhere(5)]), 0x78, 0)],
  ])("are held against it: %s", async (_, message) => {
    const { victim, liar, say } = await lied({ rejectsMax: 1 });
    expect(await say(message)).toBeInstanceOf(Error);
    expect(victim.exchange.refuses(liar.signer.peer)).toBe(false);
    await say(message);
    await until(() => victim.transport.connected().length === 0);
    expect(victim.exchange.refuses(liar.signer.peer)).toBe(true);
    expect([victim.heard, victim.dialled]).toEqual([[], []]);
  });

  it("are passed over where they are none, and the rest is tried", async () => {
    const { net, victim, liar, say } = await lied({ rejectsMax: 0 });
    const friend = await up(net, { seed: 2 });
    const [address] = friend.transport.addresses();
    const garbage = ["", "nonsense", "\n", "/memory/1/p2p/12D3KooW", `${address}/`, "é".repeat(2000)];
    expect(await say(raw([...garbage, address!, ...garbage]))).toEqual(new Uint8Array());
    await until(() => victim.exchange.admitted().includes(friend.id));
    expect(victim.dialled).toEqual([address]);
    expect(victim.exchange.refuses(liar.signer.peer)).toBe(false);
  });

  it("are not dialled when they are the victim's own, or of a neighbour", async () => {
    const { net, victim, liar, say } = await lied();
    const friend = await up(net, { seed: 2 });
    const own = victim.transport.addresses();
    const others = [nowhere(0), `/memory/66/p2p/${liar.signer.peer}`, ...liar.transport.addresses()];
    expect(signerOf(1).peer).toBe(victim.id);
    await say(encodeAddresses([...own, ...others, ...friend.transport.addresses()]));
    await until(() => victim.exchange.admitted().includes(friend.id));
    expect(victim.heard.slice(0, 5)).toEqual([...own, ...others, ...friend.transport.addresses()]);
    expect(victim.dialled).toEqual(friend.transport.addresses());
  });

  it("lead to a handshake, in which a stranger is refused, and are given up then", async () => {
    const { net, victim, say } = await lied();
    const manifest = { ...MANIFEST, name: "another" };
    const stranger = await up(net, { seed: 2, exchange: { manifest } });
    await say(encodeAddresses(stranger.transport.addresses()));
    await until(() => victim.said.length > 0 && !victim.transport.connected().includes(stranger.id));
    expect(victim.said[0]).toContain("another network");
    for (let tries = 1; tries < 8; tries++) {
      await until(() => victim.dialled.length === tries && !victim.transport.connected().includes(stranger.id));
      await until(() => net.clock.waiting() > 0);
      net.clock.advance(30_000);
    }
    await until(() => victim.dialled.length === 8 && !victim.transport.connected().includes(stranger.id));
    await until(() => net.clock.waiting() === 0);
    expect(victim.exchange.admitted()).not.toContain(stranger.id);
  });

  it("are left unread when they come too often, and before a handshake", async () => {
    const { net, victim, say } = await lied();
    const { addressesPerWindowMax, addressesWindowMs } = EXCHANGE_DEFAULTS;
    const one = encodeAddresses([nowhere(7)]);
    for (let i = 0; i < addressesPerWindowMax; i++) expect(await say(one)).toEqual(new Uint8Array());
    expect(await say(one)).toBeInstanceOf(Error);
    expect(victim.heard).toHaveLength(addressesPerWindowMax);
    net.clock.advance(addressesWindowMs);
    expect(await say(one)).toEqual(new Uint8Array());
    const stranger = await createImpostor(net, { seed: 8, answers: false });
    stops.push(() => stranger.stop());
    await stranger.dial(victim);
    expect(await stranger.send(victim, STREAM_PROTOCOLS.addresses, [encodeFrame(one)])).toBeInstanceOf(Error);
    expect(victim.heard).toHaveLength(addressesPerWindowMax + 1);
  });
});
