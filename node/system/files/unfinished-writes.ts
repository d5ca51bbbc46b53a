/**
 * Writes of this process that have begun and not ended: whoever ends the process waits for them, so that no file is left under
 * its temporary name and no folder with half of its files.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const writes = new Set<Promise<unknown>>();

/** Do work that leaves something half-written where the process ends meanwhile.  Throws: what the work throws. */
export async function unfinished<T>(work: () => Promise<T>): Promise<T> {
  const write = work();
  writes.add(write);
  try {
    return await write;
  } finally {
    writes.delete(write);
  }
}

/** Resolves once no write is unfinished, however each of them has ended. */
export async function writesFinished(): Promise<void> {
  while (writes.size > 0) await Promise.allSettled(writes);
}

/** Folders that are being filled, each with whether it was there, empty, before. */
const folders = new Map<string, boolean>();

/** A folder is being filled from now on, by this process alone.  wasThere: whether it was there before, empty. */
export function fillFolder(folder: string, wasThere: boolean): void {
  folders.set(folder, wasThere);
}

/** Leave the folders that are being filled as they were before. They were new or empty, so all in them is this process's. */
export async function emptyFilledFolders(): Promise<void> {
  await writesFinished();
  for (const [folder, wasThere] of folders) {
    if (!wasThere) await rm(folder, { recursive: true, force: true });
    else for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
  }
  folders.clear();
}
