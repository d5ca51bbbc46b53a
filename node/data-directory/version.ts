/**
 * The version of a data directory's files. It rises where files of before must be changed to be read on, so that a program that
 * is older than the files leaves them as they are.
 */
import { NodeError } from "../errors.ts";
import { readIfThere, writeFileAtomic } from "../system/files/atomic-file.ts";
import type { DataDirectory } from "./layout.ts";

/**
 * What this program writes and reads. A directory without the file has version 1 as well: the first peers did not write it.
 * For a new version: raise this, change what is older where `openPeerDirectory` opens it, and keep a directory of each version
 * before in fixtures/.
 */
export const DATA_VERSION = 1;

const TEXT = /^weft data (\d{1,9})\n$/;

/** Throws: DATA_DIRECTORY for files of another version than this program's, or of no known one. Nothing is changed. */
export async function checkVersion({ folder, version }: DataDirectory): Promise<void> {
  const bytes = await readIfThere(version);
  if (bytes === undefined) return;
  const [, number] = TEXT.exec(new TextDecoder().decode(bytes.subarray(0, 64))) ?? [];
  if (Number(number) === DATA_VERSION) return;
  const found = number === undefined ? `its file "version" names none` : `they have version ${number}`;
  const text = `the files in ${folder} are not of a version that this weft knows: ${found}, this weft reads version ${DATA_VERSION}`;
  throw new NodeError("DATA_DIRECTORY", text, { folder, problem: "another-version" });
}

/** Write the version down where it is not yet.  Throws: DISK_FULL, DATA_DIRECTORY. */
export async function markVersion({ version }: DataDirectory): Promise<void> {
  if ((await readIfThere(version)) !== undefined) return;
  await writeFileAtomic(version, new TextEncoder().encode(`weft data ${DATA_VERSION}\n`));
}
