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

/** A result on disk: the digest of what it depends on, and the state of the program that computed it. */
export interface KeptResult {
  readonly key: string;
  readonly commit?: string;
}

/** The results in a folder, which is made when the first one is saved. */
export function createResultFiles(folder: string): ResultFiles {
  return {
    load: (path, key) => readResult<CellResult>(folder, path, key),
    save: (path, result) => writeResult(folder, path, result),
  };
}

/** The result in a file; undefined when there is none, or one with another key. */
export async function readResult<Result extends KeptResult>(
  folder: string,
  path: string,
  key: string,
): Promise<Result | undefined> {
  const text = await textOf(join(folder, path));
  const result = text === undefined ? undefined : parsed<Result>(text);
  return result?.key === key ? result : undefined;
}

/** Whole or not at all.  Throws: DISK_FULL, DATA_DIRECTORY. */
export async function writeResult<Result extends KeptResult>(
  folder: string,
  path: string,
  result: Result,
): Promise<void> {
  const file = join(folder, path);
  await ensureFolder(dirname(file));
  await writeFileAtomic(file, new TextEncoder().encode(`${JSON.stringify(result)}\n`));
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
function parsed<Result>(text: string): Result | undefined {
  try {
    return JSON.parse(text, (_, value) => (value === null ? Number.NaN : value)) as Result;
  } catch {
    return undefined;
  }
}
