/** `weft keys restore`: the key of a backup, in a data directory again. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { dataDirectoryLayout } from "../../../node/data-directory/layout.ts";
import { NodeError } from "../../../node/errors.ts";
import { openKey, peerOfBackup } from "../../../node/system/files/key-backup.ts";
import { readKey, writeKey } from "../../../node/system/files/key-file.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { passphraseOf } from "../../passphrase.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export interface KeysRestoreOptions {
  readonly dataDir?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

export async function run(
  options: KeysRestoreOptions,
  terminal: Terminal,
  argument: string | undefined,
): Promise<number> {
  const folder = dataDirectory(options.dataDir, terminal.environment);
  const text = await backupText(resolve(argument ?? ""));
  const { key } = dataDirectoryLayout(folder);
  // Before anybody types a passphrase for nothing.
  if ((await readKey(key)) !== undefined) {
    throw new NodeError("KEY_FILE", `${folder} has a key already; name another --data-dir`, { path: key });
  }
  const peer = peerOfBackup(text);
  const seed = openKey(text, await passphraseOf(options, { isNew: false }, terminal));
  await writeKey(key, seed);
  terminal.err(
    `restored to ${folder}; make sure that the same key runs nowhere else: two peers with one key contradict each other\n`,
  );
  terminal.out(options.json ? jsonText({ peer, dataDirectory: folder }) : `${peer}\n`);
  return EXIT_OK;
}

async function backupText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown error";
    throw new NodeError(
      "KEY_FILE",
      `cannot read ${file} (${why}); name a file that weft keys backup wrote`,
      {},
      { cause },
    );
  }
}
