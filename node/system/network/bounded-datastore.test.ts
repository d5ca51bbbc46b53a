import { generateKeyPair } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { createLibp2p } from "libp2p";
import { expect, it } from "vitest";
import { BoundedDatastore, DATASTORE_LIMITS, peerKey } from "./bounded-datastore.ts";

type Key = Parameters<BoundedDatastore["get"]>[0];
const key = (name: string): Key => ({ toString: () => name }) as Key;

it("has bounds for peers and for all else, and whoever was touched longest ago goes first", () => {
  const store = new BoundedDatastore({ peersBytesMax: 10_000, othersBytesMax: 2_000, entryBytesMax: 1_000 });
  store.keep(() => ["/peers/0"]);
  for (let n = 0; n < 100; n++) {
    store.put(key(`/peers/${n}`), new Uint8Array(500));
    store.put(key(`/dht/record/${n}`), new Uint8Array(500));
    expect(store.size().peers).toBeLessThanOrEqual(10_000);
    expect(store.size().others).toBeLessThanOrEqual(2_000);
    if (n > 0 && n < 95) store.get(key("/peers/1"));
  }
  const has = (name: string): boolean => store.has(key(name));
  // One is connected, and one was used last.
  expect([has("/peers/0"), has("/peers/1"), has("/peers/99"), has("/peers/2")]).toEqual([true, true, true, false]);
  store.put(key("/peers/99"), new Uint8Array(2_000));
  expect(store.get(key("/peers/99"))).toHaveLength(500);
  store.delete(key("/peers/99"));
  expect(() => store.get(key("/peers/99"))).toThrow(expect.objectContaining({ name: "NotFoundError" }));
});

it("keeps a node's memory small whatever number of fresh keys it has met", async () => {
  const store = new BoundedDatastore({ ...DATASTORE_LIMITS, peersBytesMax: 20_000 });
  const node = await createLibp2p({ start: false, datastore: store, services: { identify: identify() } });
  const friend = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
  store.keep(() => [friend, node.peerId].map(peerKey));
  await node.peerStore.merge(friend, { protocols: ["/friend"] });
  for (let n = 0; n < 200; n++) {
    const stranger = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
    await node.peerStore.merge(stranger, { protocols: ["/weft/heads/1"], metadata: { a: new Uint8Array(100) } });
  }
  expect(store.size().peers).toBeLessThanOrEqual(20_000);
  expect((await node.peerStore.get(friend)).protocols).toEqual(["/friend"]);
  expect((await node.peerStore.all()).length).toBeGreaterThan(10);
});
