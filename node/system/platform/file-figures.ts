/** How much a peer's files take, and how much is left for them. */
import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { FileFigures } from "../../interface/metrics.ts";
import { systemCode } from "../files/atomic-file.ts";

/** A data directory has a few dozen files; whoever has filled one with others is told of the first thousands only. */
const FILES_MAX = 5_000;

/** Of a data directory, and of the folder of checkpoints in it; a file that is gone meanwhile counts as none. */
export async function measureFiles(folder: string, checkpoints: string): Promise<FileFigures> {
  const files = await filesIn(folder);
  const kept = files.filter(({ path }) => path.startsWith(`${checkpoints}/`) && path.endsWith(".safetensors"));
  const { bavail, bsize } = await statfs(folder);
  return {
    checkpoints: kept.length,
    checkpointAtMs: kept.length === 0 ? undefined : Math.max(...kept.map(({ changedAtMs }) => changedAtMs)),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    freeBytes: bavail * bsize,
  };
}

interface FoundFile {
  readonly path: string;
  readonly bytes: number;
  readonly changedAtMs: number;
}

async function filesIn(folder: string): Promise<readonly FoundFile[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name));
  const found = await Promise.all(paths.slice(0, FILES_MAX).map(look));
  return found.flatMap((file) => file ?? []);
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
