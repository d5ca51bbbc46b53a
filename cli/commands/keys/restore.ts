/** `weft keys restore`: the key of a backup, in a data directory again. */

import { resolve } from "node:path";
import { dataDirectoryLayout, NodeError, recordDoor } from "../../../node/index.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { DATA_DIR, JSON_OUTPUT, PASSPHRASE } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft keys restore`, and what it runs. */
export const restoreKeysCommand: CommandRow = {
  name: ["keys", "restore"],
  text: "Put the key of a backup into a data directory without a key. Run a key in one place only.",
  argument: { name: "backup", text: "a file that weft keys backup wrote" },
  options: [{ ...DATA_DIR, text: "data directory for the key" }, PASSPHRASE, JSON_OUTPUT],
  example: "weft keys restore alice.weft-key --data-dir alice-again",
  json: {
    peer: "the peer's id",
    dataDirectory: "where its key is now",
  },
  run,
};

interface KeysRestoreOptions {
  readonly dataDir?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

async function run(options: KeysRestoreOptions, terminal: Terminal, argument: string | undefined): Promise<number> {
  const { keyIfThere, openKey, peerOfBackup, putKey, readBackup } = await recordDoor();
  const { passphraseOf } = await import("../../passphrase.ts");
  const folder = dataDirectory(options.dataDir, terminal.environment);
  const { key } = dataDirectoryLayout(folder);
  // Before anybody types a passphrase for nothing.
  if ((await keyIfThere(folder)) !== undefined) {
    throw new NodeError("KEY_FILE", `${folder} has a key already; name another --data-dir`, { path: key });
  }
  const text = await readBackup(resolve(argument ?? ""));
  const peer = peerOfBackup(text);
  await refuseOther(folder, peer);
  const seed = openKey(text, await passphraseOf(options, { isNew: false }, terminal));
  await putKey(folder, seed);
  terminal.err(
    `restored to ${folder}; make sure that the same key runs nowhere else; two peers with one key contradict each other\n`,
  );
  terminal.out(options.json ? jsonText({ peer, dataDirectory: folder }) : `${peer}\n`);
  return EXIT_OK;
}

/** The files in the directory belong to the peer that wrote its status.  Throws: NodeError KEY_FILE. */
async function refuseOther(folder: string, peer: string): Promise<void> {
  const { readStatus } = await import("../../status-file.ts");
  const status = await readStatus(folder).catch(() => undefined);
  const owner = status?.view.peer;
  if (owner === undefined || owner === peer) return;
  const text = `${folder} has the files of another peer, ${owner}, and the backup is of ${peer}; name another --data-dir`;
  throw new NodeError("KEY_FILE", text, { path: folder });
}
