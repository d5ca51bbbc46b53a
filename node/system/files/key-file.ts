/** The peer's identity on disk: the 32 bytes of an Ed25519 seed, readable by its owner alone. */
import { randomBytes } from "node:crypto";
import { chmod, readdir, readFile, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { NodeError } from "../../errors.ts";
import { shellWord } from "../../shell-word.ts";
import { ensureFolder, fileError, fileExists, syncFolder, systemCode, writeFileAtomic } from "./atomic-file.ts";

/** RFC 8032, section 5.1.5: the private key is 32 octets of random data. */
export const SEED_BYTES = 32;

/**
 * The seed in the file, made on first use together with its folder (0700, file 0600); an empty folder that others may
 * read is closed to them.
 * Throws: KEY_FILE when others may read the file or its folder, or when it is not a key; DISK_FULL, DATA_DIRECTORY.
 */
export async function readOrCreateKey(path: string): Promise<{ readonly seed: Uint8Array; readonly created: boolean }> {
  const folder = dirname(path);
  await ensureFolder(folder, { mode: 0o700 });
  if (await isEmpty(folder)) await closeFolder(folder);
  await refuseLooseMode(folder, "700");
  const existing = await readKey(path);
  if (existing !== undefined) return { seed: existing, created: false };
  await refuseLostKey(folder);
  const seed = new Uint8Array(randomBytes(SEED_BYTES));
  await writeFileAtomic(path, seed, { mode: 0o600 });
  return { seed, created: true };
}

/** What the mark of a key from a backup says to a person who opens it. */
const RESTORED = "the key beside this file came from a backup; a privacy budget asks what was spent before\n";

/**
 * Put the seed of a backup in the place of a key, which must be empty; its folder is made where it is not there.
 * mark: path of a file that says where the key came from.
 * Throws: KEY_FILE when there is a key already, or others may read the folder; DISK_FULL, DATA_DIRECTORY.
 */
export async function writeKey(path: string, seed: Uint8Array, { mark }: { readonly mark: string }): Promise<void> {
  const folder = dirname(path);
  await ensureFolder(folder, { mode: 0o700 });
  if (await isEmpty(folder)) await closeFolder(folder);
  await refuseLooseMode(folder, "700");
  if ((await readKey(path)) !== undefined) {
    const text = `${path} holds a key already`;
    throw new NodeError("KEY_FILE", text, { path, problem: "key-there-already" });
  }
  // Before the key: stopped in between, there is no key that nobody knows to be an old one.
  await writeFileAtomic(mark, new TextEncoder().encode(RESTORED), { mode: 0o600 });
  await writeFileAtomic(path, seed, { mode: 0o600 });
}

/** Let the key in one file take the place of another one, which is gone then.  Throws: KEY_FILE, DATA_DIRECTORY. */
export async function replaceKey(path: string, by: string): Promise<void> {
  if ((await readKey(by)) === undefined) throw new NodeError("KEY_FILE", `there is no key ${by}`, { path: by });
  try {
    await rename(by, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    throw fileError(cause, path);
  }
}

/** The seed in the file, undefined when there is no file.  Throws: KEY_FILE, DATA_DIRECTORY. */
export async function readKey(path: string): Promise<Uint8Array | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw fileError(cause, path);
  }
  await refuseLooseMode(path, "600");
  // What a file system leaves of a file whose contents were lost is zeros.
  if (bytes.length !== SEED_BYTES || bytes.every((byte) => byte === 0)) {
    const what =
      bytes.length === SEED_BYTES ? "holds zeros only" : `has ${bytes.length} bytes instead of ${SEED_BYTES}`;
    const text = `key file ${path} is damaged: it ${what}; restore it from a copy, or move it away to become a new peer`;
    throw new NodeError("KEY_FILE", text, { path, bytes: bytes.length });
  }
  return new Uint8Array(bytes);
}

/** What only a peer with a key leaves behind: signed updates, and what was trained between them. */
const OF_A_PEER = ["store", "checkpoints", "egress.jsonl"];

/** Another key would sign in the name of somebody else's past.  Throws: KEY_FILE, DATA_DIRECTORY. */
async function refuseLostKey(folder: string): Promise<void> {
  // The key of a rotation comes beside the one that is there.
  if (await fileExists(join(folder, "key"))) return;
  const left: string[] = [];
  for (const name of OF_A_PEER) if (await fileExists(join(folder, name))) left.push(name);
  if (left.length === 0) return;
  const text = `${folder} has the files of a peer (${left.join(", ")}) and no key`;
  throw new NodeError("KEY_FILE", text, { path: folder, problem: "key-lost" });
}

async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (cause) {
    throw fileError(cause, folder);
  }
}

/** An empty folder holds nothing that anybody could have read. Whose it is not, the check of its mode will say. */
async function closeFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  try {
    if (((await stat(folder)).mode & 0o077) !== 0) await chmod(folder, 0o700);
  } catch (cause) {
    if (systemCode(cause) !== "EPERM") throw fileError(cause, folder);
  }
}

/**
 * Refuse what others may read. Windows has no such modes; there the folder's access list is the user's own business.
 * Throws: KEY_FILE, DATA_DIRECTORY.
 */
export async function refuseLooseMode(path: string, allowed: "600" | "700"): Promise<void> {
  if (process.platform === "win32") return;
  let mode: number;
  try {
    mode = (await stat(path)).mode & 0o777;
  } catch (cause) {
    throw fileError(cause, path);
  }
  if ((mode & 0o077) === 0) return;
  const text = `${path} may be read by others (mode ${mode.toString(8)}); run: chmod ${allowed} ${shellWord(path)}`;
  throw new NodeError("KEY_FILE", text, { path, mode: mode.toString(8) });
}
