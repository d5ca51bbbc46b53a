/** How much a peer's files take, and how much is left for them. */
import { statfs } from "node:fs/promises";
import type { FileFigures } from "../../interface/metrics.ts";
import { filesIn } from "../files/file-list.ts";

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
