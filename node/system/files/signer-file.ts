/** The key of a data directory, ready to sign. */
import { createSigner, type Signer } from "../../../protocol/envelope.ts";
import { dataDirectoryLayout } from "../../data-directory/layout.ts";
import { NodeError } from "../../errors.ts";
import { readKey } from "./key-file.ts";

/** Throws: NodeError KEY_FILE when the directory has no key, or others may read it; DATA_DIRECTORY. */
export async function readSigner(dataDirectory: string): Promise<Signer> {
  return createSigner(await requireKey(dataDirectory));
}

/** The seed of the key.  Throws: as readSigner. */
export async function requireKey(dataDirectory: string): Promise<Uint8Array> {
  const { key } = dataDirectoryLayout(dataDirectory);
  const seed = await readKey(key);
  if (seed !== undefined) return seed;
  const text = `${dataDirectory} has no key`;
  throw new NodeError("KEY_FILE", text, { path: key, problem: "key-missing" });
}
