/**
 * The new key of a peer that gives its membership to it: made in the data directory and used nowhere until the roster has
 * agreed. Then it takes the old one's place; the old one's chain of updates ends, and the new one begins its own.
 */
import { createSigner } from "../../protocol/envelope.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { withDirectory } from "../data-directory/open.ts";
import { forgetOwnChain } from "../exchange/own-chain.ts";
import { CERTIFICATE_KEY } from "../membership/certificates.ts";
import { readOrCreateKey, replaceKey } from "../system/files/key-file.ts";

/** The key that is to follow, made where there is none.  Throws: NodeError KEY_FILE, DISK_FULL, DATA_DIRECTORY. */
export async function nextKeyOf(dataDirectory: string): Promise<{ readonly peer: PeerId; readonly file: string }> {
  const { nextKey: file } = dataDirectoryLayout(dataDirectory);
  const { seed } = await readOrCreateKey(file);
  return { peer: createSigner(seed).peer, file };
}

/**
 * Begin to use it: the roster has agreed, and the peer does not run.
 * Throws: NodeError DATA_LOCKED (it runs), KEY_FILE, STORE_FAILED, DISK_FULL, DATA_DIRECTORY.
 */
export async function adoptNextKey(dataDirectory: string): Promise<void> {
  await withDirectory(dataDirectory, {}, async (directory) => {
    // Before the key: stopped in between, the old key finds no updates of its own and is no member anyway.
    await (await directory.store()).batch([...forgetOwnChain(), { delete: CERTIFICATE_KEY }]);
    await replaceKey(directory.layout.key, directory.layout.nextKey);
  });
}
