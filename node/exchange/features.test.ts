/** Programs of different age in one network, over real connections. */
import { afterEach, describe, expect, it } from "vitest";
import { BASELINE_FEATURES, FEATURES } from "../../protocol/features.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import type { Logger } from "../interface/logger.ts";
import type { Transport } from "../interface/transport.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { connect, createTestPeer, dial, MANIFEST, publish, type TestPeer } from "./exchange.suite.ts";
import { createImpostor } from "./impostor.suite.ts";

const peers: TestPeer[] = [];
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.exchange.stop()));
});
/** Streams that were opened, as "who protocol". */
const opened: string[] = [];
const net = {
  clock: createSystemClock(),
  async transport(seed: Uint8Array, logger: Logger): Promise<Transport> {
    const limits = { connectionsMax: 16, streamsPerProtocolMax: 16, gossipBytesMax: 10_000 };
    const made = await createLibp2pTransport({ logger }, { seed, listen: ["/ip4/127.0.0.1/tcp/0"], ...limits });
    const { open } = made;
    made.open = (peer, protocol, signal) => {
      opened.push(`${seed[0]} ${protocol.name}`);
      return open.call(made, peer, protocol, signal);
    };
    return made;
  },
};
async function up(seed: number, features: readonly string[], manifest = MANIFEST): Promise<TestPeer> {
  const peer = await createTestPeer(net, { seed, exchange: { manifest, features } });
  peers.push(peer);
  return peer;
}
const without = (...names: readonly string[]) => FEATURES.filter((name) => !names.includes(name));
const SPARSE: NetworkManifest = {
  ...MANIFEST,
  encoding: { values: "float32", topK: { share: 0.5, keyframeEvery: 4 } },
};

describe("features", () => {
  it.each([
    ["the peer that dials", 1, 2],
    ["the peer that is dialled", 2, 1],
  ])("that the network needs and %s lacks keep them apart, and both say which", async (_, whole, lacking) => {
    const all = new Map<number, TestPeer>([
      [whole, await up(whole, FEATURES, SPARSE)],
      [lacking, await up(lacking, without("encoding-top-k"), SPARSE)],
    ]);
    await dial(all.get(1)!, all.get(2)!);
    const said = (seed: number): string => all.get(seed)!.said.find((line) => line.startsWith("peer refused")) ?? "";
    await until(() => said(1) !== "" && said(2) !== "");
    const name = "encoding-top-k (updates of the largest changes)";
    expect(said(whole)).toBe(`peer refused: the other's version of weft lacks what the network needs: ${name}`);
    expect(said(lacking)).toBe(
      `peer refused: this peer's version of weft lacks what the network needs, says the other: ${name}`,
    );
    await until(() => peers.every((peer) => peer.transport.connected().length === 0));
    expect(peers.map((peer) => peer.exchange.admitted())).toEqual([[], []]);
  });

  it("that the network does not need are used by those who have them, and updates go everywhere", async () => {
    const [a, b, old] = [
      await up(1, FEATURES),
      await up(2, [...FEATURES, "later-than-this"]),
      await up(3, without("checkup", "addresses")),
    ];
    opened.length = 0;
    await connect(a, b);
    await connect(a, old);
    await connect(b, old);
    await publish(old, 3, 0);
    await until(() => [a, b].every((peer) => peer.exchange.latest().length === 1));
    const shared = (peer: TestPeer, of: TestPeer) =>
      FEATURES.filter((feature) => peer.exchange.shares(of.id, feature)).join();
    expect([shared(a, b), shared(b, a)]).toEqual([FEATURES.join(), FEATURES.join()]);
    for (const peer of [a, b]) {
      expect([shared(peer, old), shared(old, peer)]).toEqual(Array(2).fill(without("checkup", "addresses").join()));
    }
    // Told to each other by those who have it, each at least once; nobody asked the third, which would not answer.
    await until(() => ["1", "2"].every((who) => opened.includes(`${who} ${STREAM_PROTOCOLS.addresses.name}`)));
    expect(opened).not.toContain(`3 ${STREAM_PROTOCOLS.addresses.name}`);
    const asked = old.transport.open(a.id, STREAM_PROTOCOLS.checkup, patient());
    await expect(asked.then((stream) => stream.abort(new Error("enough")))).resolves.toBeUndefined();
    const refused = a.transport.open(old.id, STREAM_PROTOCOLS.checkup, patient());
    await expect(refused).rejects.toMatchObject({ code: expect.any(String) });
    expect(opened.filter((line) => line === `1 ${STREAM_PROTOCOLS.handshake.name}`)).toHaveLength(2);
  });

  it("are those of the first version where a peer tells none", async () => {
    const victim = await up(1, FEATURES);
    const older = await createImpostor(net, { seed: 9 });
    try {
      await older.enter(victim);
      expect(BASELINE_FEATURES.every((feature) => victim.exchange.shares(older.signer.peer, feature))).toBe(true);
      expect(victim.exchange.shares(peers[0]!.id, "core")).toBe(false);
    } finally {
      await older.stop();
    }
  });
});
