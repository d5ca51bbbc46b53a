/** Everything that is fuzzed: `npm run fuzz`. */
import { conversationTarget, insiderTarget, membershipTarget } from "./fuzz-membership.ts";
import { wireTarget } from "./fuzz-wire.ts";
import type { FuzzTarget } from "./mutation.ts";

/** All targets of the fuzzer. */
export function fuzzTargets(): readonly FuzzTarget[] {
  return [membershipTarget(), conversationTarget(), insiderTarget(), wireTarget()];
}
