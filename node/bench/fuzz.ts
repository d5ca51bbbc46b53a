/** `npm run fuzz [cases] [seed]`: changed vectors of everything that members sign; see protocol/vectors/fuzz-membership.ts. */
import { fuzzMembership } from "../../protocol/vectors/fuzz-membership.ts";
import { createNativeVerifier } from "../system/ed25519.ts";

const [cases = 20_000, seed = 1] = process.argv.slice(2).map(Number);
const { outcomes } = fuzzMembership({ cases, seed, verify: createNativeVerifier() });
console.log(`${cases} cases from seed ${seed}: none accepted, none failed`);
for (const [outcome, count] of Object.entries(outcomes).sort(([, a], [, b]) => b - a))
  console.log(`${count}\t${outcome}`);
