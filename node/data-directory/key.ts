/** The key of a data directory, ready to sign. */
import type { Signer } from "../../protocol/envelope.ts";
import { NodeError } from "../errors.ts";
import { readKey, readOrCreateKey, writeKey } from "../system/files/key-file.ts";
import { createNativeSigner } from "../system/platform/ed25519.ts";
import { dataDirectoryLayout } from "./layout.ts";
import { checkVersion, markVersion } from "./version.ts";

/**
 * The seed of the key, made on first use together with the directory. Files of another version are left as they are.
 * Throws: NodeError KEY_FILE when others may read it, or a peer's files have lost it; DISK_FULL; DATA_DIRECTORY, for files of
 * another version too.
 */
export async function readOrMakeKey(
  dataDirectory: string,
): Promise<{ readonly seed: Uint8Array; readonly created: boolean }> {
  const layout = dataDirectoryLayout(dataDirectory);
  await checkVersion(layout);
  const found = await readOrCreateKey(layout.key);
  if (found.created) await markVersion(layout);
  return found;
}

/** The seed of the key; undefined where there is none.  Throws: KEY_FILE; DATA_DIRECTORY, for files of another version too. */
export async function keyIfThere(dataDirectory: string): Promise<Uint8Array | undefined> {
  const layout = dataDirectoryLayout(dataDirectory);
  await checkVersion(layout);
  return await readKey(layout.key);
}

/**
 * Give a directory that has no key this one, from a backup; a file beside it says so.
 * Throws: as readOrMakeKey; KEY_FILE where there is a key already.
 */
export async function putKey(dataDirectory: string, seed: Uint8Array): Promise<void> {
  const layout = dataDirectoryLayout(dataDirectory);
  await checkVersion(layout);
  await writeKey(layout.key, seed, { mark: layout.restoredKey });
  await markVersion(layout);
}

/** Throws: NodeError KEY_FILE when the directory has no key, or others may read it; DATA_DIRECTORY. */
export async function readSigner(dataDirectory: string): Promise<Signer> {
  return createNativeSigner(await requireKey(dataDirectory));
}

/** The seed of the key.  Throws: as readSigner. */
export async function requireKey(dataDirectory: string): Promise<Uint8Array> {
  const { key } = dataDirectoryLayout(dataDirectory);
  const seed = await keyIfThere(dataDirectory);
  if (seed !== undefined) return seed;
  const text = `${dataDirectory} has no key`;
  throw new NodeError("KEY_FILE", text, { path: key, problem: "key-missing" });
}

/** The signer of a key in a file of any name.  Throws: NodeError KEY_FILE when it is not there; DATA_DIRECTORY. */
export async function signerIn(keyFile: string): Promise<Signer> {
  return createNativeSigner(await seedIn(keyFile));
}

/** The seed in a file of any name.  Throws: as signerIn. */
export async function seedIn(keyFile: string): Promise<Uint8Array> {
  const seed = await readKey(keyFile);
  if (seed !== undefined) return seed;
  const text = `there is no key ${keyFile}`;
  throw new NodeError("KEY_FILE", text, { path: keyFile, problem: "key-missing" });
}
