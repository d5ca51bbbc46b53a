/** How much memory there is, for this process. */

import { totalmem } from "node:os";
import { availableMemory, constrainedMemory } from "node:process";

/** Bytes of memory. */
export interface MachineMemory {
  /** Of the machine, or of the part of it that this process may use. */
  readonly total: number;
  /** What can be taken now; the system lets go of pages of files for it. */
  readonly available: number;
}

/** Memory now. */
export function machineMemory(): MachineMemory {
  const limit = constrainedMemory();
  const total = totalmem();
  return { total: limit > 0 && limit < total ? limit : total, available: Math.min(total, availableMemory()) };
}
