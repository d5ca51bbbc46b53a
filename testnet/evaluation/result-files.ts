/** Results on disk, one file for each cell. A result that is there already, and still valid, is not computed again. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ensureFolder, systemCode, writeFileAtomic } from "../../node/system/files/atomic-file.ts";
import type { CellResult } from "./cell.ts";

/** Reads and writes the results of cells. */
export interface ResultFiles {
  /** undefined when there is none, or one of another table, model or program. */
  load(path: string, key: string): Promise<CellResult | undefined>;
  /** Whole or not at all.  Throws: DISK_FULL, DATA_DIRECTORY. */
  save(path: string, result: CellResult): Promise<void>;
}

/** The results in a folder, which is made when the first one is saved. */
export function createResultFiles(folder: string): ResultFiles {
  return {
    load: async (path, key) => {
      const text = await textOf(join(folder, path));
      const result = text === undefined ? undefined : parsed(text);
      return result?.key === key ? result : undefined;
    },
    save: async (path, result) => {
      const file = join(folder, path);
      await ensureFolder(dirname(file));
      await writeFileAtomic(file, new TextEncoder().encode(`${JSON.stringify(result)}\n`));
    },
  };
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** JSON has no NaN: a loss that is no number is written as null. What is no result is computed again. */
function parsed(text: string): CellResult | undefined {
  try {
    return JSON.parse(text, (_, value) => (value === null ? Number.NaN : value)) as CellResult;
  } catch {
    return undefined;
  }
}
