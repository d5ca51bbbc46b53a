/** Holds the files of a peer to the table of their bounds. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { type BoundNetwork, boundOf } from "./file-bounds.ts";

/** Whether each file of a data directory is in the table, and within its bound. */
export async function expectBounded(folder: string, network: BoundNetwork): Promise<void> {
  const names = await readdir(folder);
  expect(names.filter((name) => boundOf(name) === undefined)).toEqual([]);
  for (const name of names) {
    const bytes = boundOf(name)?.bytes?.(network) ?? Number.POSITIVE_INFINITY;
    expect(await bytesOf(join(folder, name)), name).toBeLessThanOrEqual(bytes);
  }
}

/** Of a file, or of everything in a folder. */
async function bytesOf(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isDirectory()) return found.size;
  let sum = 0;
  for (const name of await readdir(path)) sum += await bytesOf(join(path, name));
  return sum;
}
