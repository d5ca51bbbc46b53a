/** `weft keys backup`: the peer's key, sealed by a passphrase. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { dataDirectoryLayout, NodeError, recordDoor, writeFileAtomic } from "../../../node/index.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { DATA_DIR, JSON_OUTPUT, PASSPHRASE } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft keys backup`, and what it runs. */
export const backupKeysCommand: CommandRow = {
  name: ["keys", "backup"],
  text: "Write the peer's key, sealed by a passphrase, to a file that is safe to keep anywhere. The peer's other files are not in it.",
  options: [
    { ...DATA_DIR, text: "data directory with the key" },
    {
      flags: "--out <file>",
      text: "file for the backup; a file that exists is not overwritten",
      otherwise: "PEER-ID.weft-key",
    },
    PASSPHRASE,
    JSON_OUTPUT,
  ],
  example: "weft keys backup --data-dir alice --out alice.weft-key",
  json: {
    peer: "the peer's id",
    file: "the backup",
  },
  run,
};

interface KeysBackupOptions {
  readonly dataDir?: string;
  readonly out?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

async function run(options: KeysBackupOptions, terminal: Terminal): Promise<number> {
  const { peerOfBackup, sealKey, requireKey } = await recordDoor();
  const { passphraseOf } = await import("../../passphrase.ts");
  const folder = dataDirectory(options.dataDir, terminal.environment);
  const seed = await requireKey(dataDirectoryLayout(folder).folder);
  const refuseIfThere = (path: string): void => {
    if (existsSync(path))
      throw new NodeError("CONFIG_INVALID", `${path} exists; name another file with --out`, { path });
  };
  if (options.out !== undefined) refuseIfThere(resolve(options.out));
  const text = sealKey(seed, await passphraseOf(options, { isNew: true }, terminal));
  const peer = peerOfBackup(text);
  const file = resolve(options.out ?? `${peer}.weft-key`);
  refuseIfThere(file);
  await writeFileAtomic(file, new TextEncoder().encode(text), { mode: 0o600 });
  terminal.err(`this is the key of ${folder}, sealed; nobody can open it without the passphrase, you included\n`);
  terminal.out(options.json ? jsonText({ peer, file }) : `${file}\n`);
  return EXIT_OK;
}
