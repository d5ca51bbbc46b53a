/** `weft keys backup`: the peer's key, sealed by a passphrase. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { requireKey } from "../../../node/data-directory/key.ts";
import { dataDirectoryLayout } from "../../../node/data-directory/layout.ts";
import { NodeError } from "../../../node/errors.ts";
import { writeFileAtomic } from "../../../node/system/files/atomic-file.ts";
import { peerOfBackup, sealKey } from "../../../node/system/files/key-backup.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { passphraseOf } from "../../passphrase.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export interface KeysBackupOptions {
  readonly dataDir?: string;
  readonly out?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

export async function run(options: KeysBackupOptions, terminal: Terminal): Promise<number> {
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
  terminal.err(`the key of ${folder}, sealed; without the passphrase nobody can open it, you included\n`);
  terminal.out(options.json ? jsonText({ peer, file }) : `${file}\n`);
  return EXIT_OK;
}
