/** The files in a folder, by name and size. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "./atomic-file.ts";

/** One of them. */
export interface FoundFile {
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly changedAtMs: number;
}

/** A data directory has a few dozen files; whoever has filled one with others is told of the first thousands only. */
const FILES_MAX = 5_000;

/** Those of all folders in it; one that is gone meanwhile is left out. No folder has no files. */
export async function filesIn(folder: string): Promise<readonly FoundFile[]> {
  try {
    const names = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name));
    const found = await Promise.all(paths.slice(0, FILES_MAX).map(look));
    return found.flatMap((file) => file ?? []);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function look(path: string): Promise<FoundFile | undefined> {
  try {
    const { size: bytes, mtimeMs: changedAtMs } = await stat(path);
    return { path, bytes, changedAtMs };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
