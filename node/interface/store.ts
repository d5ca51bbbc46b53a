/** A small crash-safe key-value store: what was put and resolved is there after a kill. */
export interface Store {
  get(key: string): Promise<Uint8Array | undefined>;
  /** All puts and deletes of one batch become visible together or not at all. Throws: NodeError DISK_FULL, STORE_FAILED. */
  batch(changes: readonly StoreChange[]): Promise<void>;
  /** Entries whose key starts with `prefix`, in rising key order. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A put or a delete in a batch. */
export type StoreChange = { readonly put: string; readonly value: Uint8Array } | { readonly delete: string };
