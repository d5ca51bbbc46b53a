/**
 * The store on disk: LevelDB, every batch synced before it resolves.
 *
 * LevelDB stops accepting writes for good once one has failed (measured on a full disk) and still reads. So after a
 * failed write the data base goes on serving, and the next write opens it anew once there is enough space for that:
 * a peer whose disk was full goes on by itself.
 */
import { statfs } from "node:fs/promises";
import type { ClassicLevel } from "classic-level";
import { NodeError } from "../../errors.ts";
import type { Store, StoreChange } from "../../interface/store.ts";

type Database = ClassicLevel<string, Uint8Array>;

/** Opening writes what the log holds into a table: twice LevelDB's write buffer of 4 MiB, and the batch after it. */
const REOPEN_BYTES_MIN = 16 * 2 ** 20;

/** Open or create the store in `folder`.  Throws: DATA_LOCKED, DISK_FULL, STORE_FAILED. */
export async function openStore(folder: string): Promise<Store> {
  let database: Database | undefined = await openDatabase(folder);
  let writable = true;
  let closed = false;
  // Opening, writing and closing happen one after another, so that a data base is never opened twice.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };

  const opened = async (): Promise<Database> => {
    if (closed) throw new NodeError("STORE_FAILED", `the store ${folder} is closed`, { folder });
    database ??= await openDatabase(folder);
    return database;
  };
  const openedForWriting = async (): Promise<Database> => {
    if (writable || closed) return opened();
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < REOPEN_BYTES_MIN) throw diskFull(folder, { bytesFree: bavail * bsize });
    const broken = database;
    database = undefined;
    // Its failure was reported when it happened; closing frees a broken data base even when closing fails.
    await broken?.close().catch(() => undefined);
    const renewed = await opened();
    writable = true;
    return renewed;
  };

  return {
    get: async (key) => {
      const current = await inTurn(opened);
      try {
        const value = await current.get(key);
        return value && plain(value);
      } catch (cause) {
        throw storeError(cause, folder);
      }
    },
    batch: (changes) =>
      inTurn(async () => {
        const current = await openedForWriting();
        try {
          await current.batch(changes.map(operation), { sync: true });
        } catch (cause) {
          writable = false;
          throw storeError(cause, folder);
        }
      }),
    async *entries(prefix) {
      const current = await inTurn(opened);
      try {
        for await (const [key, value] of current.iterator({ gte: prefix })) {
          if (!key.startsWith(prefix)) return;
          yield [key, plain(value)] as const;
        }
      } catch (cause) {
        throw storeError(cause, folder);
      }
    },
    close: () =>
      inTurn(async () => {
        closed = true;
        await database?.close();
        database = undefined;
      }),
  };
}

/** LevelDB hands out Buffers, whose slice is a view. */
const plain = (value: Uint8Array): Uint8Array => new Uint8Array(value.buffer, value.byteOffset, value.byteLength);

async function openDatabase(folder: string): Promise<Database> {
  // Loaded here: a program that opens no store has no use for it.
  const { ClassicLevel: Level } = await import("classic-level");
  const database: Database = new Level(folder, { keyEncoding: "utf8", valueEncoding: "view" });
  try {
    await database.open();
    return database;
  } catch (cause) {
    throw storeError(cause, folder);
  }
}

type Operation = { type: "put"; key: string; value: Uint8Array } | { type: "del"; key: string };

const operation = (change: StoreChange): Operation =>
  "put" in change ? { type: "put", key: change.put, value: change.value } : { type: "del", key: change.delete };

/** Limits of the system, by what LevelDB says of them: no fault of the store, and somebody can raise them. */
const LIMITS_SAID: readonly (readonly [RegExp, string])[] = [
  [/too many open files/i, "cannot be opened: this process may open no more files; raise its limit (ulimit -n)"],
  [/file too large/i, "may not grow: its files are as long as this process may make them; raise its limit (ulimit -f)"],
];

/** LevelDB's own words say which of them it was: its I/O errors carry no system code of their own. */
export function storeError(cause: unknown, folder: string): NodeError {
  if (cause instanceof NodeError) return cause;
  const root = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = root instanceof Error && "code" in root ? String(root.code) : "unknown";
  const said = root instanceof Error ? root.message : String(root);
  const facts = { folder, level: code };
  if (code === "LEVEL_LOCKED") {
    const text = `the store ${folder} is in use by another process`;
    return new NodeError("DATA_LOCKED", text, { ...facts, problem: "in-use" }, { cause });
  }
  if (/no space left|quota exceeded/i.test(said)) return diskFull(folder, facts, { cause });
  const limit = LIMITS_SAID.find(([words]) => words.test(said))?.[1];
  if (limit !== undefined) return new NodeError("STORE_FAILED", `the store ${folder} ${limit}`, facts, { cause });
  const text = `the store ${folder} failed: ${said.split("\n", 1)[0]}`;
  return new NodeError("STORE_FAILED", text, isDamage(said) ? { ...facts, problem: "store-damaged" } : facts, {
    cause,
  });
}

/** LevelDB's words for files that are there and wrong, or that it misses. */
const isDamage = (said: string): boolean =>
  /corruption|missing files|checksum mismatch|does not exist|not an sstable|no such file/i.test(said);

function diskFull(folder: string, facts: Readonly<Record<string, unknown>>, options?: ErrorOptions): NodeError {
  const text = `no space left to write ${folder}`;
  return new NodeError("DISK_FULL", text, { folder, ...facts }, options);
}
