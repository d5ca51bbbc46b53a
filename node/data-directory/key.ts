/** The key of a data directory, ready to sign. */
import type { Signer } from "../../protocol/envelope.ts";
import { NodeError } from "../errors.ts";
import { readKey } from "../system/files/key-file.ts";
import { createNativeSigner } from "../system/platform/ed25519.ts";
import { dataDirectoryLayout } from "./layout.ts";

/** Throws: NodeError KEY_FILE when the directory has no key, or others may read it; DATA_DIRECTORY. */
export async function readSigner(dataDirectory: string): Promise<Signer> {
  return createNativeSigner(await requireKey(dataDirectory));
}

/** The seed of the key.  Throws: as readSigner. */
export async function requireKey(dataDirectory: string): Promise<Uint8Array> {
  const { key } = dataDirectoryLayout(dataDirectory);
  const seed = await readKey(key);
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
