/** The store in memory: the twin that tests and simulations use. */
import { NodeError } from "../../errors.ts";
import type { Store } from "../../interface/store.ts";

/** An empty store. */
export function createMemoryStore(): Store {
  const values = new Map<string, Uint8Array>();
  let closed = false;
  const check = (): void => {
    if (closed) throw new NodeError("STORE_FAILED", "the store is closed");
  };
  return {
    get: async (key) => {
      check();
      return values.get(key)?.slice();
    },
    batch: async (changes) => {
      check();
      for (const change of changes) {
        if ("put" in change) values.set(change.put, new Uint8Array(change.value));
        else values.delete(change.delete);
      }
    },
    async *entries(prefix) {
      check();
      const found = [...values].filter(([key]) => key.startsWith(prefix));
      // The order of UTF-8 bytes, as on disk; that of JavaScript strings differs beyond U+FFFF.
      found.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const [key, value] of found) yield [key, value.slice()] as const;
    },
    close: async () => {
      closed = true;
    },
  };
}
