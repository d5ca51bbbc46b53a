/** Updates of the largest changes only: what others decode, whatever they missed, and what a kill leaves. */
import { afterEach, describe, expect, it } from "vitest";
import { encodeUpdate } from "../../protocol/encoding/update-payload.ts";
import { createSigner } from "../../protocol/envelope.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { readUpdate, signUpdate, type UpdateFields } from "../../protocol/update.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { until } from "../system/network/transport.suite.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { collectLinks } from "./collect-links.ts";
import {
  connect,
  createTestPeer,
  MANIFEST,
  signerOf,
  type TestNet,
  type TestPeer,
  type TestPeerOptions,
} from "./exchange.suite.ts";
import { blobReply, createImpostor, forge, type Impostor } from "./impostor.suite.ts";
import { createOwnChain } from "./own-chain.ts";
import { decodeStored, encodeStored, type StoredUpdate } from "./stored-update.ts";

const LENGTH = 400;
const SPARSE: NetworkManifest = {
  ...MANIFEST,
  tensors: [{ name: "q_proj.A", shape: [20, 20] }],
  encoding: { values: "float32", topK: { share: 0.05, keyframeEvery: 8 } },
};
const RULES = { networkId: networkId(SPARSE), tensors: SPARSE.tensors, encoding: SPARSE.encoding };

/** A walk with heavy steps here and light ones there. */
function thetaAt(round: number): Float32Array {
  const stream = createPrng(5);
  const theta = new Float32Array(LENGTH);
  for (let step = 0; step <= round; step++) {
    for (let i = 0; i < LENGTH; i++) theta[i]! += 2 ** (-i / 40) * stream.normal();
  }
  return theta;
}

/** What everybody should decode after rounds 0 to `last`, each published, by the encoder alone. */
function knownAfter(last: number): Float32Array {
  let known: Float32Array | undefined;
  for (let sequence = 0; sequence <= last; sequence++) {
    const options = { ...SPARSE, sequence, previous: known, prng: createPrng(0) };
    known = encodeUpdate(thetaAt(sequence), options).decoded;
  }
  return known!;
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});
function createNet(): TestNet {
  const hub = createMemoryHub();
  const bounds = { streamsPerProtocolMax: 16, gossipBytesMax: 1024 };
  return {
    clock: createVirtualClock(),
    transport: async (secretKey, logger) => hub.create({ logger }, { peer: createSigner(secretKey).peer, ...bounds }),
  };
}
async function up(net: TestNet, options: TestPeerOptions): Promise<TestPeer> {
  const peer = await createTestPeer(net, { ...options, exchange: { manifest: SPARSE } });
  stops.push(() => peer.exchange.stop());
  peer.exchange.setRound(0, { catchingUp: true });
  return peer;
}
const publish = (peer: TestPeer, round: number): Promise<unknown> =>
  peer.exchange.publish({ round, theta: thetaAt(round), localSteps: 1, sampleCount: 1 });
const has = async (peer: TestPeer, round: number): Promise<void> => {
  await until(() => peer.exchange.latest()[0]?.round === round);
};

describe("updates of the largest changes", () => {
  it("decode to what the author believes the others have, over several keyframes", async () => {
    const net = createNet();
    const [a, b] = [await up(net, { seed: 1 }), await up(net, { seed: 2 })];
    await connect(a, b);
    for (let round = 0; round < 18; round++) {
      await publish(a, round);
      await has(b, round);
      expect(b.exchange.latest()[0]?.theta, `round ${round}`).toEqual(knownAfter(round));
    }
    expect(b.exchange.counts()).toMatchObject({ accepted: 18, ignored: 0, rejected: 0 });
  });

  it("reach whoever joins late, through a neighbour whose author is gone, and who missed some", async () => {
    const net = createNet();
    const [a, b] = [await up(net, { seed: 1 }), await up(net, { seed: 2 })];
    await connect(a, b);
    for (const round of [0, 1]) await publish(a, round);
    await has(b, 1);
    await b.transport.hangUp(a.id);
    await until(() => a.exchange.admitted().length === 0);
    for (const round of [2, 3, 4, 5]) await publish(a, round);
    await connect(a, b);
    await has(b, 5);
    await a.exchange.stop();
    const c = await up(net, { seed: 3 });
    await connect(c, b);
    await has(c, 5);
    for (const peer of [b, c]) expect(peer.exchange.latest()[0]?.theta).toEqual(knownAfter(5));
  });

  it("go on after a restart of either side as if there had been none", async () => {
    const net = createNet();
    const [own, inbox] = [createMemoryStore(), createMemoryStore()];
    const [a, b] = [await up(net, { seed: 1, store: own }), await up(net, { seed: 2, store: inbox })];
    await connect(a, b);
    for (const round of [0, 1, 2]) await publish(a, round);
    await has(b, 2);
    await Promise.all([a.exchange.stop(), b.exchange.stop()]);
    const [again, other] = [await up(net, { seed: 1, store: own }), await up(net, { seed: 2, store: inbox })];
    expect(other.exchange.latest()[0]?.theta).toEqual(knownAfter(2));
    await connect(again, other);
    await publish(again, 3);
    await has(other, 3);
    expect(other.exchange.latest()[0]?.theta).toEqual(knownAfter(3));
  });
});

describe("an author whose update rests on others", () => {
  const RECEIVER = 1;
  const AUTHOR = 9;
  /** A victim, and an author past its handshake who hands out what it is asked for and says what it likes. */
  async function met(): Promise<{ victim: TestPeer; author: Impostor; serve: (...envelopes: Uint8Array[]) => void }> {
    const net = createNet();
    const victim = await up(net, { seed: RECEIVER });
    const author = await createImpostor(net, { seed: AUTHOR, manifest: SPARSE });
    stops.push(() => author.stop());
    await author.enter(victim);
    const serve = (...envelopes: Uint8Array[]): void => {
      author.serve(() => {
        const envelope = envelopes.shift();
        if (envelope === undefined) return blobReply({ status: "not-found" });
        return blobReply({ status: "found", length: envelope.byteLength }, envelope);
      });
    };
    return { victim, author, serve };
  }

  it("that nobody has is heard when it is announced again and they are there", async () => {
    const { victim, author, serve } = await met();
    const [first, second] = await chainTo(1, AUTHOR);
    serve(second!.envelope);
    await author.sendHeads(victim, [second!.announcement]);
    await until(() => victim.updates.length === 1);
    expect(victim.updates[0]).toMatchObject({ verdict: "ignore", code: "BASE_UNKNOWN" });
    serve(second!.envelope, first!.envelope);
    await author.sendHeads(victim, [second!.announcement]);
    await until(() => victim.updates.length === 2);
    expect(victim.updates[1]).toMatchObject({ verdict: "accept" });
    expect(victim.exchange.latest()[0]?.theta).toEqual(second!.theta);
  });

  it("of somebody else is to blame, and its update is refused", async () => {
    const { victim, author, serve } = await met();
    const [[stranger], [, second]] = await Promise.all([chainTo(0, 2), chainTo(1, AUTHOR)]);
    const lie = forge(AUTHOR, { ...second!.update, previous: stranger!.update.contentId });
    serve(lie.envelope, stranger!.envelope);
    await author.sendHeads(victim, [lie.announcement]);
    await until(() => victim.updates.length === 1);
    expect(victim.updates[0]).toMatchObject({ verdict: "reject", code: "CHAIN_BROKEN", from: signerOf(AUTHOR).peer });
    expect(victim.exchange.latest()).toEqual([]);
  });

  it("larger than any update of the network may be is not taken", async () => {
    const { victim, author, serve } = await met();
    const [, second] = await chainTo(1, AUTHOR);
    serve(second!.envelope, new Uint8Array(4 * LENGTH + 513));
    await author.sendHeads(victim, [second!.announcement]);
    await until(() => victim.updates.length === 1);
    expect(victim.updates[0]).toMatchObject({ verdict: "ignore", code: "BASE_UNKNOWN" });
  });
});

/** Updates of rounds 0 to `last` as their author stores them. */
async function chainTo(last: number, seed = 1): Promise<readonly StoredUpdate[]> {
  const chain = createOwnChain({ store: createMemoryStore(), signer: signerOf(seed) }, RULES);
  const all: StoredUpdate[] = [];
  for (let round = 0; round <= last; round++) {
    all.push((await chain.append({ round, theta: thetaAt(round), localSteps: 1, sampleCount: 1 }))!);
  }
  return all;
}

describe("what an update rests on", () => {
  it("is nothing after a link that only neighbours remember", async () => {
    const chain = createOwnChain({ store: createMemoryStore(), signer: signerOf(1) }, RULES);
    const append = (round: number) => chain.append({ round, theta: thetaAt(round), localSteps: 1, sampleCount: 1 });
    await append(0);
    const [, , remembered] = await chainTo(2);
    chain.adopt(remembered!.update);
    const next = await append(3);
    expect(next).toMatchObject({ update: { sequence: 3, encoding: 1 }, links: [], theta: thetaAt(3) });
    expect(await append(4)).toMatchObject({
      update: { sequence: 4, encoding: 4 },
      links: [{ envelope: next!.envelope }],
    });
  });

  it("is kept with it and read back whole; what is cut off or changed is not", async () => {
    const newest = (await chainTo(3)).at(-1)!;
    expect(newest.links.length).toBe(3);
    const bytes = encodeStored(newest);
    expect(decodeStored(bytes, RULES)).toEqual(newest);
    expect(decodeStored(bytes.subarray(0, bytes.length - 1), RULES)).toMatch(/cut off/);
    const changed = bytes.slice();
    changed[bytes.length - 1]! ^= 1;
    expect(decodeStored(changed, RULES)).toMatch(/rests on is not the one it names/);
    const without = encodeStored({ ...newest, links: newest.links.slice(1) });
    expect(decodeStored(without, RULES)).toMatch(/not known/);
    expect(decodeStored(encodeStored({ ...newest, links: [] }), RULES)).toMatch(/not known/);
  });

  it("is asked for only as far as it is missing", async () => {
    const all = await chainTo(6);
    const newest = all.at(-1)!;
    const collect = async (known: StoredUpdate | undefined, sources = all) => {
      const asked: number[] = [];
      const found = await collectLinks(newest.update, {
        rules: RULES,
        known,
        fetch: async (contentId) => {
          const one = sources.find(({ update }) => update.contentId === contentId);
          if (one !== undefined) asked.push(one.update.sequence);
          return one?.envelope;
        },
      });
      return { asked, links: found?.links.length, values: found?.values };
    };
    const values = all[5]!.theta;
    expect(await collect(undefined)).toEqual({ asked: [5, 4, 3, 2, 1, 0], links: 6, values });
    expect(await collect(all[3])).toEqual({ asked: [5, 4], links: 6, values });
    expect(await collect(all[5])).toEqual({ asked: [], links: 6, values });
    expect(await collect(undefined, all.slice(2))).toEqual({
      asked: [5, 4, 3, 2],
      links: undefined,
      values: undefined,
    });
  });

  it("is refused where it is not the author's chain", async () => {
    const [first] = await chainTo(0);
    const [stranger] = await chainTo(0, 2);
    const changes = encodeUpdate(thetaAt(1), { ...SPARSE, sequence: 1, previous: first!.theta, prng: createPrng(0) });
    const updateOn = (fields: Partial<UpdateFields>) => {
      const update = {
        ...first!.update,
        ...changes,
        round: 1,
        sequence: 1,
        previous: first!.update.contentId,
        ...fields,
      };
      return readUpdate(signUpdate(update, signerOf(1)).bytes);
    };
    const collect = (fields: Partial<UpdateFields>, envelope = first!.envelope) =>
      collectLinks(updateOn(fields), { rules: RULES, known: undefined, fetch: async () => envelope });
    expect((await collect({}))?.values).toEqual(first!.theta);
    await expect(collect({}, stranger!.envelope)).rejects.toThrow("is not the one it names");
    await expect(collect({ previous: stranger!.update.contentId }, stranger!.envelope)).rejects.toThrow(
      "another author",
    );
    await expect(collect({ sequence: 2 })).rejects.toThrow("does not come before it");
    const later = signUpdate({ ...first!.update, round: 7 }, signerOf(1));
    await expect(collect({ previous: later.contentId }, later.bytes)).rejects.toThrow("does not come before it");
    const broken = first!.envelope.slice();
    broken[broken.length - 1]! ^= 1;
    const { contentId } = readUpdate(broken);
    await expect(collect({ previous: contentId }, broken)).rejects.toThrow("not signed");
  });
});
