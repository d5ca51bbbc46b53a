/**
 * One process per data directory. The lock is a file that names its holder: process id, the process's start time and
 * the machine's boot, so that a holder that was killed, or whose number another process has got since, is told from a
 * living one. It names its own inode too, and when that was made: in a folder that was copied while its holder ran, it is known as
 * a copy. Two processes that find the same dead holder at the same instant are told apart by the store, which the
 * operating system itself locks.
 */
import { link, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { NodeError } from "../../errors.ts";
import { isProcessRunning, type ProcessMark, processMark } from "../platform/process-mark.ts";
import { ensureFolder, fileError, systemCode } from "./atomic-file.ts";

/** A lock that this process holds. */
export interface LockFile {
  /** Idempotent; removes the file only while it is still this process's. */
  release(): Promise<void>;
}

/** The contents of the file. */
interface Holder extends ProcessMark {
  /** The inode that it was written into, and when that was made; absent in locks of earlier versions. */
  readonly file?: string;
}

/** Of a process that its own system does not show. */
const NO_MARK: ProcessMark = { process: process.pid, startedAt: "", boot: "" };
/** Attempts against others that come and go at the same moment; each one ends only when somebody else succeeded. */
const ATTEMPTS_MAX = 5;

/** How long a command that has a data directory open may take to leave it to a peer that goes over to another network. */
export const COMMAND_WAIT_MS = 10_000;
/** Pause between two looks at a lock that is waited for. */
const LOOK_MS = 50;

/**
 * Take the lock, or say who has it, once `waitMs` (default 0) are over in which it did not leave it.
 * Throws: DATA_LOCKED, DISK_FULL, DATA_DIRECTORY.
 */
export async function takeLock(path: string, { waitMs = 0 }: { readonly waitMs?: number } = {}): Promise<LockFile> {
  for (const until = performance.now() + waitMs; ; ) {
    try {
      return await tryLock(path);
    } catch (error) {
      const isLocked = error instanceof NodeError && error.code === "DATA_LOCKED";
      if (!isLocked || performance.now() >= until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * Whose process has a lock, and whether that very process is still there and holds this very file, not one that it was copied
 * from; undefined where nobody has it.
 * Throws: NodeError DATA_DIRECTORY for a file that cannot be read.
 */
export async function lockHolder(
  path: string,
): Promise<{ readonly process: number; readonly isThere: boolean } | undefined> {
  const holder = await readHolder(path);
  if (holder === undefined) return undefined;
  return { process: holder.process, isThere: (await isProcessRunning(holder)) && !(await isCopied(path, holder)) };
}

/** Whether the lock is a copy of one that a running process holds somewhere else.  Throws: NodeError DATA_DIRECTORY. */
export async function isCopyInUse(path: string): Promise<boolean> {
  const holder = await readHolder(path);
  return holder !== undefined && (await isProcessRunning(holder)) && (await isCopied(path, holder));
}

/** Whether what was thrown says that a process has this very directory open, and not one that it was copied from. */
export function isHeldHere(error: unknown): boolean {
  return error instanceof NodeError && error.code === "DATA_LOCKED" && error.facts.problem !== "copy-in-use";
}

async function tryLock(path: string): Promise<LockFile> {
  const folder = dirname(path);
  await ensureFolder(folder, { mode: 0o700 });
  const mark = (await processMark(process.pid)) ?? NO_MARK;
  const own = `${path}.${process.pid}`;
  try {
    // One that a killed process of the same number left may be the lock itself under a second name: never write to it.
    await rm(own, { force: true });
    const text = await writeNew(own, mark);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (await linkNew(own, path)) return { release: () => release(path, text) };
      const found = await readIfThere(path);
      if (found === undefined) continue;
      const holder = parseHolder(found);
      if (holder !== undefined && (await isProcessRunning(holder))) {
        throw (await isCopied(path, holder)) ? copyLocked(folder, holder.process) : locked(folder, holder.process);
      }
      await removeDead(path, found);
    }
  } catch (cause) {
    throw fileError(cause, path);
  } finally {
    await rm(own, { force: true });
  }
  throw new NodeError("DATA_LOCKED", `data directory ${folder} is being taken by other processes; try again`, {
    folder,
  });
}

function locked(folder: string, process: number): NodeError {
  const text = `data directory ${folder} is in use by process ${process}`;
  return new NodeError("DATA_LOCKED", text, { folder, process, problem: "in-use" });
}

/** The key in the folder is the running process's as well, so the folder is not free for use. */
function copyLocked(folder: string, process: number): NodeError {
  const text = `data directory ${folder} is a copy of one that process ${process} has in use, and has the same key`;
  return new NodeError("DATA_LOCKED", text, { folder, process, problem: "copy-in-use" });
}

/** Write a file that names itself; its contents. */
async function writeNew(path: string, mark: ProcessMark): Promise<string> {
  const file = await open(path, "wx", 0o600);
  try {
    const { ino, birthtimeNs } = await file.stat({ bigint: true });
    const holder: Holder = { ...mark, file: `${ino} ${birthtimeNs}` };
    const text = JSON.stringify(holder);
    await file.writeFile(text);
    return text;
  } finally {
    await file.close();
  }
}

async function isCopied(path: string, { file }: Holder): Promise<boolean> {
  if (file === undefined) return false;
  try {
    const { ino, birthtimeNs } = await stat(path, { bigint: true });
    return file !== `${ino} ${birthtimeNs}`;
  } catch (cause) {
    // Its holder has just gone.
    if (systemCode(cause) === "ENOENT") return false;
    throw cause;
  }
}

/** The file appears under its name with its contents, or not at all because somebody else's is there. */
async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (cause) {
    if (systemCode(cause) === "EEXIST") return false;
    throw cause;
  }
}

/** Take a dead holder's file away; when it turns out to be somebody's new one by now, put it back. */
async function removeDead(path: string, seen: string): Promise<void> {
  const aside = `${path}.dead.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return;
    throw cause;
  }
  if ((await readFile(aside, "utf8")) !== seen) await linkNew(aside, path);
  await rm(aside, { force: true });
}

async function release(path: string, text: string): Promise<void> {
  if ((await readIfThere(path)) === text) await rm(path, { force: true });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

/** Throws: NodeError DATA_DIRECTORY for a file that cannot be read. */
async function readHolder(path: string): Promise<Holder | undefined> {
  const found = await readIfThere(path).catch((cause: unknown) => {
    throw fileError(cause, path);
  });
  return found === undefined ? undefined : parseHolder(found);
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { process: id, startedAt, boot, file } = JSON.parse(text) as Record<string, unknown>;
    if (!Number.isSafeInteger(id) || Number(id) <= 0) return undefined;
    return {
      process: Number(id),
      startedAt: String(startedAt),
      boot: String(boot),
      ...(typeof file === "string" && { file }),
    };
  } catch {
    // Not a holder: contents lost in a crash of the machine, which no process has survived.
    return undefined;
  }
}
