/** The passphrase of a backup: from a file that its owner alone may read, or asked for at the terminal. */
import { resolve } from "node:path";
import { checkPassphrase, NodeError, readPassphraseFile } from "../node/index.ts";
import type { Terminal } from "./terminal.ts";

/** `isNew`: it is asked for twice.  Throws: KEY_FILE, DATA_DIRECTORY; CONFIG_INVALID where nobody can be asked. */
export async function passphraseOf(
  { passphraseFile }: { readonly passphraseFile?: string },
  { isNew }: { readonly isNew: boolean },
  terminal: Terminal,
): Promise<string> {
  if (passphraseFile !== undefined) return readPassphraseFile(resolve(passphraseFile));
  if (!terminal.askSecret) {
    throw new NodeError(
      "CONFIG_INVALID",
      "there is no terminal at which to ask for the passphrase; give --passphrase-file FILE",
    );
  }
  const passphrase = await terminal.askSecret("passphrase: ");
  checkPassphrase(passphrase);
  if (isNew && (await terminal.askSecret("the same again: ")) !== passphrase) {
    throw new NodeError(
      "KEY_FILE",
      "the two passphrases are not the same, and nothing was written; run the command again",
    );
  }
  return passphrase;
}
