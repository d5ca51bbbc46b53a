import { describe, expect, it } from "vitest";
import { decodeUpdate } from "../../protocol/encoding/update-payload.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { readUpdate } from "../../protocol/update.ts";
import type { Store } from "../interface/store.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { silentLogger } from "../system/network/transport.suite.ts";
import { MANIFEST, signerOf, thetaOf } from "./exchange.suite.ts";
import { forge } from "./impostor.suite.ts";
import { Inbox } from "./inbox.ts";
import { linksAfter, type StoredUpdate } from "./stored-update.ts";

const OPTIONS = { networkId: networkId(MANIFEST), tensors: MANIFEST.tensors, authorsMax: 3, bytesMax: 1e6 };

function stored(seed: number, round: number, sequence = round): StoredUpdate {
  const { envelope, announcement } = forge(seed, { round, sequence });
  const update = readUpdate(envelope);
  return { envelope, announcement, update, links: [], theta: decodeUpdate(update, OPTIONS) };
}

async function open(store: Store, warnings: unknown[] = [], bounds: object = {}): Promise<Inbox> {
  const logger = { ...silentLogger, warn: (...args: unknown[]) => warnings.push(args) };
  const inbox = new Inbox({ store, logger }, { ...OPTIONS, ...bounds });
  await inbox.load();
  return inbox;
}

const rounds = (inbox: Inbox): Record<string, number> =>
  Object.fromEntries(inbox.all().map(({ update }) => [update.author, update.round]));
const id = (seed: number): string => signerOf(seed).peer;

describe("the inbox", () => {
  it("keeps the newest update of an author and serves no older one", async () => {
    const inbox = await open(createMemoryStore());
    const [first, second] = [stored(1, 0), stored(1, 1)];
    await inbox.put(first);
    expect(inbox.find(first.update.contentId)).toEqual(first.envelope);
    await inbox.put(second);
    expect(inbox.find(first.update.contentId)).toBeUndefined();
    expect(inbox.find(second.update.contentId)).toEqual(second.envelope);
    expect(inbox.headOf(signerOf(1).peer)).toMatchObject({ sequence: 1, round: 1, contentId: second.update.contentId });
  });

  it("is full at its bound: a fresher newcomer takes the stalest place, a staler one is turned away", async () => {
    const store = createMemoryStore();
    const inbox = await open(store);
    for (const [seed, round] of [
      [1, 5],
      [2, 3],
      [3, 4],
    ] as const)
      expect(await inbox.put(stored(seed, round))).toBe(true);
    expect(await inbox.put(stored(4, 3))).toBe(false);
    expect(rounds(inbox)).toEqual({ [id(1)]: 5, [id(2)]: 3, [id(3)]: 4 });
    expect(await inbox.put(stored(4, 4))).toBe(true);
    const after = { [id(1)]: 5, [id(3)]: 4, [id(4)]: 4 };
    expect(rounds(inbox)).toEqual(after);
    expect(rounds(await open(store))).toEqual(after);
  });

  it("is bounded in bytes as well: what is fresher takes as many of the stalest places as it needs", async () => {
    const store = createMemoryStore();
    const [a, b] = [stored(1, 1), stored(2, 2)];
    const size = a.theta.byteLength + a.envelope.byteLength + a.announcement.byteLength;
    const bounds = { authorsMax: 9, bytesMax: 3 * size - 1 };
    const inbox = await open(store, [], bounds);
    expect(await inbox.put(a)).toBe(true);
    expect(await inbox.put(b)).toBe(true);
    expect(await inbox.put(stored(3, 1))).toBe(false);
    expect(rounds(inbox)).toEqual({ [id(1)]: 1, [id(2)]: 2 });
    expect(await inbox.put(stored(3, 3))).toBe(true);
    expect(rounds(inbox)).toEqual({ [id(2)]: 2, [id(3)]: 3 });
    expect(inbox.find(a.update.contentId)).toBeUndefined();
    // What an update rests on counts too.
    const heavy = { ...stored(4, 4), links: [{ ...linksAfter(a)[0]!, envelope: new Uint8Array(size) }] };
    expect(await inbox.put(heavy)).toBe(true);
    expect(rounds(inbox)).toEqual({ [id(4)]: 4 });
    expect(await inbox.put(stored(1, 3))).toBe(false);
    // An author's next update takes the place of its last one, unless it needs what fresher ones have.
    expect(await inbox.put(stored(4, 5))).toBe(true);
    expect(await inbox.put(stored(3, 6))).toBe(true);
    expect(await inbox.put({ ...heavy, update: stored(4, 6).update })).toBe(false);
    expect(rounds(inbox)).toEqual({ [id(3)]: 6, [id(4)]: 5 });
    await inbox.drop(signerOf(3).peer);
    expect(await inbox.put({ ...heavy, update: stored(4, 6).update })).toBe(true);
  });

  it("takes no more bytes out of the store than it may keep", async () => {
    const store = createMemoryStore();
    const inbox = await open(store);
    const one = stored(1, 0);
    await inbox.put(one);
    await inbox.put(stored(2, 1));
    const size = one.theta.byteLength + one.envelope.byteLength + one.announcement.byteLength;
    expect((await open(store, [], { bytesMax: 2 * size - 1 })).all()).toHaveLength(1);
    expect((await open(store)).all()).toHaveLength(1);
  });

  it("is there again after a restart, verified", async () => {
    const store = createMemoryStore();
    const inbox = await open(store);
    await inbox.put(stored(1, 0));
    await inbox.put(stored(2, 1));
    const again = await open(store);
    expect(again.all()).toEqual(inbox.all());
    expect(again.all().map(({ theta }) => theta)).toContainEqual(thetaOf(2, 1));
  });

  it("drops what was changed in the store, whichever byte it was", async () => {
    const store = createMemoryStore();
    await (await open(store)).put(stored(1, 0));
    const key = `inbox/${id(1)}`;
    const value = (await store.get(key))!;
    for (let at = 0; at < value.byteLength; at += 7) {
      const bent = value.slice();
      bent[at]! ^= 4;
      await store.batch([{ put: key, value: bent }]);
      const warnings: unknown[] = [];
      expect((await open(store, warnings)).all(), `byte ${at}`).toEqual([]);
      expect(warnings).toHaveLength(1);
      expect(await store.get(key)).toBeUndefined();
    }
    // Under somebody else's name it is worth nothing either.
    await store.batch([{ put: `inbox/${id(2)}`, value }]);
    expect((await open(store)).all()).toEqual([]);
  });

  it("uses an update although the store fails, and says so", async () => {
    const store = { ...createMemoryStore(), batch: () => Promise.reject(new Error("disk full")) };
    const inbox = new Inbox({ store, logger: silentLogger }, OPTIONS);
    await expect(inbox.put(stored(1, 0))).rejects.toThrow("disk full");
    expect(rounds(inbox)).toEqual({ [id(1)]: 0 });
  });
});
