/** How many connections this process can hold beside its files. */
import { readFileSync } from "node:fs";

/** What a peer has open without any connection (42 were counted on Linux), and files that come and go. */
const OWN_DESCRIPTORS = 54;
/** A peer that can talk to nobody is none. */
const CONNECTIONS_MIN = 4;

/** At most `wanted`; fewer where the system lets this process open few files. Unknown limits are taken for large ones. */
export function connectionsWithin(wanted: number, limit: number = openFilesMax()): number {
  return Math.max(CONNECTIONS_MIN, Math.min(wanted, limit - OWN_DESCRIPTORS));
}

/** proc(5), limits: "Max open files", the soft one, which Node.js has raised to the hard one by now. */
function openFilesMax(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return found === null ? Number.POSITIVE_INFINITY : Number(found[1]);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
