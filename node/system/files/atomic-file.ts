/**
 * Files that are there whole or not at all, whenever the process or the machine stops: written to a temporary name in
 * the same folder, synced, renamed; then the folder is synced, so that the new name survives too.
 */
import { mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { NodeError } from "../../errors.ts";
import { readShortFile } from "./short-file.ts";
import { unfinished } from "./unfinished-writes.ts";

/** The temporary name of a file, in the same folder. One writer at a time: what a killed one left is overwritten. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp`);
}

/**
 * Replace a file with `bytes`, or leave what was there.  mode: permissions of the new file, 0o644 when absent. Of a link the file that
 * it leads to is replaced. A device and a pipe are written to, for in their place nobody wants a file.
 * Throws: DISK_FULL, DATA_DIRECTORY.
 */
export function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  return unfinished(() => replaceFile(path, bytes, options.mode ?? 0o644));
}

async function replaceFile(named: string, bytes: Uint8Array, mode: number): Promise<void> {
  const path = await realpath(named).catch(() => named);
  if (await isNoFile(path)) return await writeInto(path, bytes);
  const temporary = temporaryPath(path);
  try {
    await rm(temporary, { force: true });
    await writeSynced(temporary, bytes, mode);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    // The first error is the one to report; a folder that cannot be written cannot be tidied either.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(cause, named);
  }
}

/** Whether a device, a pipe or a socket has this name; a folder is refused when a file is to take its place. */
async function isNoFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

async function writeInto(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "w");
    await file.writeFile(bytes).finally(() => file.close());
  } catch (cause) {
    throw fileError(cause, path);
  }
}

/** Create a folder and those above it; what exists stays as it is.  Throws: DISK_FULL, DATA_DIRECTORY. */
export async function ensureFolder(path: string, options: { readonly mode?: number } = {}): Promise<void> {
  try {
    await makeFolder(path, options.mode ?? 0o755);
  } catch (cause) {
    throw fileError(cause, path);
  }
}

/**
 * Folder by folder, because the recursive form of mkdir never ends where a file system says ENOENT of a name in a
 * folder that exists, as /proc does.
 */
async function makeFolder(path: string, mode: number): Promise<void> {
  if (await isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent, mode);
  try {
    await mkdir(path, { mode });
    await syncFolder(parent);
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (systemCode(error) !== "EEXIST" || !(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Whether there is something of this name.  Throws: DATA_DIRECTORY. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return false;
    throw fileError(cause, path);
  }
}

/** Far more than any file has that is read as a whole: networks, states, keys. */
const READ_BYTES_MAX = 64 * 1024 * 1024;

/** The bytes of a file; undefined where it is not there.  Throws: DATA_DIRECTORY, for a device that never ends, too. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readShortFile(path, READ_BYTES_MAX);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw fileError(cause, path);
  }
  if (bytes !== undefined) return bytes;
  const text = `cannot use ${path}: it has more than ${READ_BYTES_MAX} bytes; choose another one`;
  throw new NodeError("DATA_DIRECTORY", text, { path, system: "too long" });
}

/** Take away a file, or a folder with what is in it, durably; nothing where it is not there.  Throws: DATA_DIRECTORY. */
export async function removeAll(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
    await syncFolder(dirname(path));
  } catch (cause) {
    throw fileError(cause, path);
  }
}

/** Give a file or folder another name, durably; nothing where it is not there.  Throws: DATA_DIRECTORY. */
export async function moveIfThere(path: string, to: string): Promise<void> {
  if (!(await fileExists(path))) return;
  try {
    await rename(path, to);
    await syncFolder(dirname(to));
  } catch (cause) {
    throw fileError(cause, to);
  }
}

/** Of the names in a folder that match, all but the `kept` that were changed last, with what they name, go.  Throws: DATA_DIRECTORY. */
export async function keepNewest(folder: string, names: RegExp, kept: number): Promise<void> {
  try {
    const found = (await readdir(folder)).filter((name) => names.test(name));
    const dated = await Promise.all(
      found.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })),
    );
    const old = dated.sort((a, b) => b.at - a.at || (a.name < b.name ? 1 : -1)).slice(kept);
    for (const { name } of old) await removeAll(join(folder, name));
  } catch (cause) {
    throw fileError(cause, folder);
  }
}

/** Make the names in a folder durable. Windows cannot open folders and needs no such call. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** What the operating system says about a file, as one line with a code; anything else is returned as it came. */
export function fileError(cause: unknown, path: string): unknown {
  const code = systemCode(cause);
  if (code === undefined) return cause;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const text = `no space left to write ${path}`;
    return new NodeError("DISK_FULL", text, { path, system: code }, { cause });
  }
  const why = REASONS[code] ?? `the system says ${code}`;
  const text = `cannot use ${path}: ${why}; choose another place or repair this one`;
  return new NodeError("DATA_DIRECTORY", text, { path, system: code }, { cause });
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of the path is a file, not a folder",
  EEXIST: "a file is in the place of a folder",
  EISDIR: "a folder is in the place of a file",
  ENOENT: "there is no such folder",
  EIO: "the disk reports an error",
  EFBIG: "the file is larger than this process or the file system takes; raise its limit (ulimit -f)",
  ENAMETOOLONG: "a name in it is too long",
  EMFILE: "this process may open no more files; raise its limit (ulimit -n)",
  ENFILE: "the system has no file descriptors left",
};

/** The errno name of an operating system error.  Its shape: Node's `SystemError`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Write a new file and have it on the disk.  Throws: what the system throws. */
export async function writeSynced(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, "wx", mode);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
