/** Where a peer keeps its files. */
import { resolve } from "node:path";
import envPaths from "env-paths";
import type { Terminal } from "./terminal.ts";

/** The flag, else WEFT_DATA_DIR, else the operating system's place for the data of programs. */
export function dataDirectory(flag: string | undefined, environment: Terminal["environment"]): string {
  return resolve(flag ?? (environment.WEFT_DATA_DIR || envPaths("weft", { suffix: "" }).data));
}
