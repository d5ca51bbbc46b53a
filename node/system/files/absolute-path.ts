/** Paths as people give them. */
import { resolve } from "node:path";

/** The path from the root on; one that is relative begins at the working directory. */
export function absolutePath(path: string): string {
  return resolve(path);
}
