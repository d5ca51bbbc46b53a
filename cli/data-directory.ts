/** Where a peer keeps its files. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { dataDirectoryLayout, NodeError, userDataFolder } from "../node/index.ts";
import type { Terminal } from "./terminal.ts";

/**
 * The flag, else WEFT_DATA_DIR, else the operating system's place for the data of programs.
 * Throws: NodeError DATA_DIRECTORY where this account has no such place.
 */
export function dataDirectory(flag: string | undefined, environment: Terminal["environment"]): string {
  const folder = flag ?? (environment.WEFT_DATA_DIR || userDataFolder);
  if (folder !== undefined) return resolve(folder);
  throw new NodeError("DATA_DIRECTORY", "this account has no home folder; give --data-dir or set WEFT_DATA_DIR");
}

/**
 * The same, where a peer's files are to be read: a folder that is not there, or that has none of them, is a mistyped one, and no
 * peer that sent nothing.
 * Throws: NodeError DATA_DIRECTORY as `dataDirectory`, and where there is no peer.
 */
export function existingDataDirectory(flag: string | undefined, environment: Terminal["environment"]): string {
  const folder = dataDirectory(flag, environment);
  // With its settings alone it is that of a peer that did not start, of which a report may be wanted.
  const { version, key, store, checkpoints, egress, status, config } = dataDirectoryLayout(folder);
  if ([version, key, store, checkpoints, egress, status, config].some((path) => existsSync(path))) return folder;
  const text = `no peer has run in ${folder} yet; start one with weft run, or name another --data-dir`;
  throw new NodeError("DATA_DIRECTORY", text, { folder });
}
