import { describe, expect, it } from "vitest";
import { type ContentId, contentIdOf } from "../../protocol/content-id.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import type { Store } from "../interface/store.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { MANIFEST, P, signerOf, thetaOf } from "./exchange.suite.ts";
import { createOwnChain, forgetOwnChain, type OwnChain } from "./own-chain.ts";
import { decodeStored } from "./stored-update.ts";

async function open(store: Store, seed = 1): Promise<OwnChain> {
  const chain = createOwnChain(
    { store, signer: signerOf(seed) },
    { networkId: networkId(MANIFEST), tensors: MANIFEST.tensors },
  );
  await chain.load();
  return chain;
}
const own = (round: number, theta = thetaOf(1, round)) => ({ round, theta, localSteps: 1, sampleCount: 1 });

describe("the own chain", () => {
  it("counts from 0 and names the update before", async () => {
    const chain = await open(createMemoryStore());
    const links = [await chain.append(own(0)), await chain.append(own(1)), await chain.append(own(4))];
    expect(links.map((link) => [link?.update.sequence, link?.update.round])).toEqual([
      [0, 0],
      [1, 1],
      [2, 4],
    ]);
    expect(links.map((link) => link?.update.previous)).toEqual([
      undefined,
      links[0]?.update.contentId,
      links[1]?.update.contentId,
    ]);
  });

  it("signs the same changes again when it was killed before they were stored", async () => {
    const rules = {
      networkId: networkId(MANIFEST),
      tensors: [{ name: "a", shape: [20, 20] }],
      encoding: { values: "int8", topK: { share: 0.1, keyframeEvery: 4 } },
    } as const;
    const long = (round: number) =>
      own(
        round,
        new Float32Array(400).map((_, i) => Math.sin((i + 1) * (round + 1))),
      );
    const start = async (store: Store) => {
      const chain = createOwnChain({ store, signer: signerOf(1) }, rules);
      await chain.load();
      return chain;
    };
    const store = createMemoryStore();
    await (await start(store)).append(long(0));
    const lost: (ContentId | undefined)[] = [];
    for (let life = 0; life < 2; life++) {
      // The second life is not killed.
      const dying: Store = {
        ...store,
        batch: (changes) => (life === 0 ? Promise.reject(new Error("killed")) : store.batch(changes)),
      };
      const chain = await start({
        ...dying,
        batch: async (changes) => {
          const value = changes.flatMap((change) => ("put" in change ? [change.value] : []))[0]!;
          const stored = decodeStored(value, rules);
          lost.push(typeof stored === "string" ? undefined : stored.update.contentId);
          await dying.batch(changes);
        },
      });
      await chain.append(long(1)).catch(() => {});
    }
    expect(lost[0]).toBeDefined();
    expect(lost[1]).toBe(lost[0]);
    expect((await start(store)).head()).toMatchObject({ update: { sequence: 1, encoding: 6, contentId: lost[0] } });
  });

  it("never signs two updates with one sequence, wherever it is killed", async () => {
    // The store's write is the only instant that matters: killed before it is done, or after it.
    for (const persisted of [false, true]) {
      const store = createMemoryStore();
      const announced = [await (await open(store)).append(own(0))];
      const dying: Store = {
        ...store,
        batch: async (changes) => {
          if (persisted) await store.batch(changes);
          throw new Error("killed");
        },
      };
      await expect((await open(dying)).append(own(1, thetaOf(7, 7)))).rejects.toThrow("killed");
      const chain = await open(store);
      expect(chain.head()?.update.sequence).toBe(persisted ? 1 : 0);
      announced.push(await chain.append(own(1)), await chain.append(own(2)));
      const sequences = announced.map((link) => link?.update.sequence);
      expect(sequences, `persisted ${persisted}`).toEqual([0, 1, 2]);
      expect(announced[1]?.theta).toEqual(persisted ? thetaOf(7, 7) : thetaOf(1, 1));
    }
  });

  it("is in the store before it is returned, and appends follow one another", async () => {
    const store = createMemoryStore();
    const chain = await open(store);
    const links = await Promise.all([0, 1, 2].map((round) => chain.append(own(round))));
    expect(links.map((link) => link?.update.sequence)).toEqual([0, 1, 2]);
    const again = await open(store);
    expect(again.head()?.update.contentId).toBe(links[2]?.update.contentId);
    expect(again.head()?.theta).toEqual(thetaOf(1, 2));
  });

  it("gives a round that was published again as it was", async () => {
    const chain = await open(createMemoryStore());
    const first = await chain.append(own(3));
    expect(await chain.append(own(3, thetaOf(5, 5)))).toBe(first);
    expect(await chain.append(own(2))).toBe(first);
  });

  it("refuses to go on from a store that is not its own or was changed", async () => {
    const store = createMemoryStore();
    await (await open(store)).append(own(0));
    await expect(open(store, 2)).rejects.toMatchObject({ code: "STORE_FAILED" });
    const value = (await store.get("own/head"))!;
    value[value.byteLength - 1]! ^= 1;
    await store.batch([{ put: "own/head", value }]);
    await expect(open(store)).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("goes on after a link that it learns of, once", async () => {
    const chain = await open(createMemoryStore());
    const link = { sequence: 5, contentId: contentIdOf(Uint8Array.of(1)), round: 8 };
    expect(chain.adopt(link)).toBe(true);
    expect(chain.adopt(link)).toBe(false);
    expect(await chain.append(own(8))).toBeUndefined();
    const next = await chain.append(own(9));
    expect(next?.update).toMatchObject({ sequence: 6, previous: link.contentId, round: 9 });
    expect(chain.adopt(link)).toBe(false);
  });

  it("asks before it goes on after what it never knew, and not after what it signed before a change of manifest", async () => {
    const store = createMemoryStore();
    const asked: number[] = [];
    const rules = { networkId: networkId(MANIFEST), tensors: MANIFEST.tensors };
    const start = async () => {
      const mayFollow = ({ sequence }: { readonly sequence: number }) => void asked.push(sequence);
      const chain = createOwnChain({ store, signer: signerOf(1), mayFollow }, rules);
      await chain.load();
      return chain;
    };
    const first = await start();
    for (const round of [0, 1]) await first.append(own(round));
    const known = first.head()!.update;
    await store.batch(forgetOwnChain());
    const back = await start();
    expect(back.head()).toBeUndefined();
    expect([0, 1, 2].map((sequence) => back.signed(sequence) !== undefined)).toEqual([true, true, false]);
    expect(back.adopt(known)).toBe(true);
    expect((await back.append(own(2)))?.update).toMatchObject({ sequence: 2, previous: known.contentId });
    expect(asked).toEqual([]);
    await store.batch(forgetOwnChain());
    const lost = await start();
    lost.adopt({ sequence: 7, contentId: known.contentId, round: 9 });
    await lost.append(own(10));
    expect(asked).toEqual([7]);
  });

  it("gives up an update during whose signing it learns of an earlier life", async () => {
    const store = createMemoryStore();
    const link = { sequence: 3, contentId: contentIdOf(Uint8Array.of(1)), round: 3 };
    const chain = createOwnChain(
      {
        store: {
          ...store,
          batch: async (changes) => {
            if (changes.some((change) => "put" in change)) chain.adopt(link);
            await store.batch(changes);
          },
        },
        signer: signerOf(1),
      },
      { networkId: networkId(MANIFEST), tensors: MANIFEST.tensors },
    );
    await chain.load();
    expect(await chain.append(own(0))).toBeUndefined();
    expect(chain.head()).toBeUndefined();
    expect((await chain.append(own(4)))?.update).toMatchObject({ sequence: 4, previous: link.contentId });
    expect((await open(store)).head()?.update.sequence).toBe(4);
  });

  it("refuses values of another length or that are not finite", async () => {
    const chain = await open(createMemoryStore());
    await expect(chain.append(own(0, new Float32Array(P + 1)))).rejects.toThrow(RangeError);
    await expect(chain.append(own(0, new Float32Array(P).fill(Number.NaN)))).rejects.toMatchObject({
      code: "VALUE_NOT_FINITE",
    });
    expect((await chain.append(own(0)))?.update.sequence).toBe(0);
  });
});
