/** Gives memory of JavaScript's heap back to the system. */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Heaps that grew by fewer bytes are left alone: the graphs of small models leave little, and collecting takes 20 ms and more. */
const WORTH_BYTES = 64e6;

/** Bytes that this thread's heap has from the system. */
export function heapBytes(): number {
  return getHeapStatistics().total_heap_size;
}

/**
 * Collects the garbage of this thread now, where its heap has grown by much since it had `since` bytes. Building the graph of a large model leaves up to 100 MB
 * of it, which V8 would keep through a whole training: a thread that waits for the runtime allocates nothing, and what
 * allocates nothing is not collected.  Says whether it did.
 */
export function releaseHeap({
  since = 0,
  worthBytes = WORTH_BYTES,
}: {
  readonly since?: number;
  readonly worthBytes?: number;
} = {}): boolean {
  if (heapBytes() < since + worthBytes) return false;
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (how: { readonly type: "major"; readonly flavor: "last-resort" }) => void;
  setFlagsFromString("--no-expose-gc");
  // An ordinary collection keeps the room for young objects, which is most of it.
  collect({ type: "major", flavor: "last-resort" });
  return true;
}
