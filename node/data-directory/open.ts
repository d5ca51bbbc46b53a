/**
 * A data directory in use by this process: its lock, its store and, where somebody acts as the peer, its key. All of it is
 * opened here, and closed in reverse order.
 */
import type { Signer } from "../../protocol/envelope.ts";
import type { Store } from "../interface/store.ts";
import { fileExists } from "../system/files/atomic-file.ts";
import { readOrCreateKey } from "../system/files/key-file.ts";
import { type LockFile, takeLock } from "../system/files/lock-file.ts";
import { openStore } from "../system/files/store.ts";
import { createNativeSigner } from "../system/platform/ed25519.ts";
import { seedIn } from "./key.ts";
import { type DataDirectory, dataDirectoryLayout } from "./layout.ts";
import { checkVersion, markVersion } from "./version.ts";

/** How to take the lock. */
export interface OpenOptions {
  /** How long whoever has it open may take to leave it, milliseconds; default 0. */
  readonly waitMs?: number;
}

/** How to take the lock, and where the key comes from. */
export interface PeerDirectoryOptions extends OpenOptions {
  /** make: the first use makes the key; there: without a key it is an error. */
  readonly key: "make" | "there";
}

/** The lock of a data directory, and the store behind it. */
export class OpenDirectory {
  readonly layout: DataDirectory;
  readonly #lock: LockFile;
  #store: Promise<Store> | undefined;

  constructor(layout: DataDirectory, lock: LockFile) {
    this.layout = layout;
    this.#lock = lock;
  }

  /** The store, opened or created by the first call.  Throws: STORE_FAILED, DISK_FULL, DATA_LOCKED. */
  store(): Promise<Store> {
    this.#store ??= openStore(this.layout.store);
    return this.#store;
  }

  /** The store; undefined where no peer has run yet. Nothing is created.  Throws: as store. */
  async storeIfThere(): Promise<Store | undefined> {
    return (await fileExists(this.layout.store)) ? await this.store() : undefined;
  }

  /** The store first, then the lock. Idempotent. */
  async close(): Promise<void> {
    const opened = this.#store;
    this.#store = undefined;
    try {
      // One that could not be opened has been reported by then.
      await (await opened?.catch(() => undefined))?.close();
    } finally {
      await this.#lock.release();
    }
  }
}

/** What acts as the peer of a data directory has besides. */
export interface PeerIdentity {
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
  readonly signer: Signer;
}

/** Take a data directory's lock.  Throws: NodeError DATA_LOCKED, DISK_FULL; DATA_DIRECTORY, for files of another version too. */
export async function openDirectory(folder: string, { waitMs = 0 }: OpenOptions = {}): Promise<OpenDirectory> {
  const layout = dataDirectoryLayout(folder);
  await checkVersion(layout);
  return new OpenDirectory(layout, await takeLock(layout.lock, { waitMs }));
}

/** Read a data directory's key, then take its lock.  Throws: as openDirectory; KEY_FILE. */
export async function openPeerDirectory(
  folder: string,
  { key, ...options }: PeerDirectoryOptions,
): Promise<PeerIdentity & { readonly directory: OpenDirectory }> {
  const layout = dataDirectoryLayout(folder);
  await checkVersion(layout);
  const { key: file } = layout;
  const seed = key === "make" ? (await readOrCreateKey(file)).seed : await seedIn(file);
  const directory = await openDirectory(folder, options);
  try {
    await markVersion(layout);
  } catch (error) {
    await directory.close();
    throw error;
  }
  return { seed, signer: createNativeSigner(seed), directory };
}

/** Use a data directory that no peer runs in, and leave it again.  Throws: as openDirectory; what `use` throws. */
export async function withDirectory<T>(
  folder: string,
  options: OpenOptions,
  use: (directory: OpenDirectory) => Promise<T>,
): Promise<T> {
  const directory = await openDirectory(folder, options);
  try {
    return await use(directory);
  } finally {
    await directory.close();
  }
}
