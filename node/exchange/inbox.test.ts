import { describe, expect, it } from "vitest";
import { decodeUpdate } from "../../protocol/encoding/update-payload.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { readUpdate } from "../../protocol/update.ts";
import type { Store } from "../interface/store.ts";
import { createMemoryStore } from "../system/memory-store.ts";
import { silentLogger } from "../system/transport.suite.ts";
import { MANIFEST, signerOf, thetaOf } from "./exchange.suite.ts";
import { forge } from "./impostor.suite.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import type { StoredUpdate } from "./stored-update.ts";

const OPTIONS = { networkId: networkId(MANIFEST), tensors: MANIFEST.tensors, authorsMax: 3 };

function stored(seed: number, round: number, sequence = round): StoredUpdate {
  const { envelope, announcement } = forge(seed, { round, sequence });
  const update = readUpdate(envelope);
  return { envelope, announcement, update, links: [], theta: decodeUpdate(update, OPTIONS) };
}

async function open(store: Store, warnings: unknown[] = []): Promise<Inbox> {
  const inbox = createInbox({ store, logger: { ...silentLogger, warn: (...args) => warnings.push(args) } }, OPTIONS);
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
    const inbox = createInbox({ store, logger: silentLogger }, OPTIONS);
    await expect(inbox.put(stored(1, 0))).rejects.toThrow("disk full");
    expect(rounds(inbox)).toEqual({ [id(1)]: 0 });
  });
});
