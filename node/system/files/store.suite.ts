/** What every store must do; each implementation runs it. */
import { afterEach, expect, test } from "vitest";
import type { Store } from "../../interface/store.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Tests of a fresh store from `open`, which is called once for each. */
export function storeSuite(open: () => Promise<Store>): void {
  const opened: Store[] = [];
  const fresh = async (): Promise<Store> => {
    const store = await open();
    opened.push(store);
    return store;
  };
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });
  const listed = async (store: Store, prefix: string): Promise<[string, number[]][]> => {
    const found: [string, number[]][] = [];
    for await (const [key, value] of store.entries(prefix)) found.push([key, [...value]]);
    return found;
  };

  test("a key that was never put is undefined", async () => {
    expect(await (await fresh()).get("a")).toBeUndefined();
  });

  test("what was put is there, what was deleted is not, the last change of a key counts", async () => {
    const store = await fresh();
    await store.batch([
      { put: "a", value: bytes(1) },
      { put: "b", value: bytes(2) },
      { put: "a", value: bytes(3) },
      { delete: "b" },
      { put: "empty", value: bytes() },
    ]);
    expect(await store.get("a")).toEqual(bytes(3));
    expect(await store.get("b")).toBeUndefined();
    expect(await store.get("empty")).toEqual(bytes());
    await store.batch([{ delete: "a" }, { delete: "never" }]);
    expect(await store.get("a")).toBeUndefined();
  });

  test("an empty batch changes nothing", async () => {
    const store = await fresh();
    await store.batch([]);
    expect(await listed(store, "")).toEqual([]);
  });

  test("values are the store's own: later changes to the caller's bytes do not show, on either side", async () => {
    const store = await fresh();
    const value = Buffer.from([1, 2, 3]);
    await store.batch([{ put: "a", value: value.subarray(1) }]);
    value.fill(9);
    const read = (await store.get("a"))!;
    expect([...read]).toEqual([2, 3]);
    read.fill(7);
    expect([...(await store.get("a"))!]).toEqual([2, 3]);
  });

  test("entries come in the order of their bytes and stay within the prefix", async () => {
    const store = await fresh();
    const keys = ["b", "a/2", "a/10", "a", "a0", "a/\u{ffff}", "a/\u{1f600}", "a/é", "a.z"];
    await store.batch(keys.map((key, i) => ({ put: key, value: bytes(i) })));
    const names = (await listed(store, "a/")).map(([key]) => key);
    expect(names).toEqual(["a/10", "a/2", "a/é", "a/\u{ffff}", "a/\u{1f600}"]);
    expect((await listed(store, "")).map(([key]) => key)).toEqual(["a", "a.z", ...names, "a0", "b"]);
    expect(await listed(store, "c")).toEqual([]);
  });

  test("a listing shows the state in which it began", async () => {
    const store = await fresh();
    await store.batch([
      { put: "a", value: bytes(1) },
      { put: "b", value: bytes(2) },
    ]);
    const seen: string[] = [];
    for await (const [key] of store.entries("")) {
      seen.push(key);
      if (seen.length === 1) await store.batch([{ delete: "b" }, { put: "c", value: bytes(3) }]);
    }
    expect(seen).toEqual(["a", "b"]);
  });

  test("a listing may be left early", async () => {
    const store = await fresh();
    await store.batch([
      { put: "a", value: bytes(1) },
      { put: "b", value: bytes(2) },
    ]);
    for await (const _ of store.entries("")) break;
    await store.batch([{ delete: "a" }]);
    expect(await listed(store, "")).toEqual([["b", [2]]]);
  });

  test("batches that run at the same time all arrive, in their order", async () => {
    const store = await fresh();
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.batch([{ put: "last", value: bytes(i) }])));
    expect(await store.get("last")).toEqual(bytes(19));
  });

  test("closing twice is fine; afterwards every operation fails with its code", async () => {
    const store = await fresh();
    await store.close();
    await store.close();
    await expect(store.get("a")).rejects.toMatchObject({ code: "STORE_FAILED" });
    await expect(store.batch([{ delete: "a" }])).rejects.toMatchObject({ code: "STORE_FAILED" });
    await expect(listed(store, "")).rejects.toMatchObject({ code: "STORE_FAILED" });
  });
}
