/** The fewest and shortest of a target's inputs that reach what all of them reach, by greed. */
import { type BlockCoverage, ReachedCode } from "./coverage.ts";
import type { GuidedTarget } from "./guided-fuzz.ts";

/** Of inputs those that reach what the target's seeds and shorter ones do not; `coverage` counts already. */
export function minimalCorpus(
  { seeds, read }: GuidedTarget,
  inputs: readonly Uint8Array[],
  coverage: BlockCoverage,
): readonly Uint8Array[] {
  const reached = new ReachedCode();
  const addsTo = (bytes: Uint8Array): boolean => {
    coverage.take();
    try {
      read(bytes);
    } catch {
      // A fault was reported when it was found.
    }
    const ran = coverage.take();
    const isNew = reached.isNew(ran);
    reached.add(ran);
    return isNew;
  };
  // Twice: what comes but once, such as the filling of a cache, is no input's own.
  for (const bytes of [...seeds, ...seeds]) addsTo(bytes);
  return inputs.toSorted((a, b) => a.length - b.length).filter(addsTo);
}
