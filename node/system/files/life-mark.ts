/**
 * Whether a folder of files is the very one that was used last, or a copy or an older state of it. A small file is written anew in each
 * life, and the store remembers its content, its inode and when that was made: a copy has another inode, an older store remembers
 * another content, and a backup that is written into the files of now has an inode that was made later, whose number may have been
 * used before. A snapshot of a whole file system that keeps inodes is not noticed.
 */
import { randomBytes } from "node:crypto";
import { rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Store } from "../../interface/store.ts";
import { fileError, readIfThere, syncFolder, temporaryPath, writeSynced } from "./atomic-file.ts";

const KEY = "directory/life";
/** Bytes of a mark: no two lives draw the same. */
const MARK_BYTES = 16;
/** A kill leaves the mark of this life or of the one before. */
const REMEMBERED = 2;

/** Whether the files go on where they stopped; `unknown`: no life has left a mark. */
export type Continuity = "goes-on" | "copied" | "unknown";

/** What the file and the store say of each other.  Throws: NodeError STORE_FAILED, DATA_DIRECTORY. */
export async function continuityOf(path: string, store: Store): Promise<Continuity> {
  const [known, found] = [await marksIn(store), await markIn(path)];
  if (known.length === 0 && found === undefined) return "unknown";
  // A file without a store that knows it: the store was lost.
  return found !== undefined && known.some((mark) => isSame(mark, found)) ? "goes-on" : "copied";
}

/** A life begins with these files.  Throws: NodeError STORE_FAILED, DISK_FULL, DATA_DIRECTORY. */
export async function beginLife(path: string, store: Store): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    await rm(temporary, { force: true });
    await writeSynced(temporary, new TextEncoder().encode(randomBytes(MARK_BYTES).toString("hex")), 0o600);
  } catch (cause) {
    throw fileError(cause, path);
  }
  const marks = [await markIn(temporary), await markIn(path)].filter((mark) => mark !== undefined);
  // The store first: stopped in between, it knows the file of before as well.
  await remember(store, marks);
  try {
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    throw fileError(cause, path);
  }
  // There are file systems where a file that takes another one's name takes its age as well.
  const mark = await markIn(path);
  if (mark !== undefined && !marks.includes(mark)) await remember(store, [mark, ...marks]);
}

const remember = (store: Store, marks: readonly string[]): Promise<void> =>
  store.batch([{ put: KEY, value: new TextEncoder().encode(JSON.stringify(marks.slice(0, REMEMBERED))) }]);

async function markIn(path: string): Promise<string | undefined> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  const { ino, birthtimeNs } = await stat(path, { bigint: true });
  return `${new TextDecoder().decode(bytes.subarray(0, 2 * MARK_BYTES))} ${ino} ${birthtimeNs}`;
}

/** Marks of an earlier version say nothing of when an inode was made. */
const isSame = (mark: string, found: string): boolean => mark === found || found.startsWith(`${mark} `);

async function marksIn(store: Store): Promise<readonly string[]> {
  const bytes = await store.get(KEY);
  if (bytes === undefined) return [];
  try {
    const marks: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return Array.isArray(marks) ? marks.filter((mark) => typeof mark === "string") : [];
  } catch {
    // Not a list of marks: as if no life had left one.
    return [];
  }
}
