/** `npm run fuzz [cases] [seed]`: changed vectors of everything that members sign, and as many of greetings and notes. */
import { fuzzConversations, fuzzMembership } from "../../protocol/vectors/fuzz-membership.ts";
import { createNativeVerifier } from "../system/ed25519.ts";

const [cases = 20_000, seed = 1] = process.argv.slice(2).map(Number);
const verify = createNativeVerifier();
for (const [what, run] of Object.entries({ membership: fuzzMembership, conversations: fuzzConversations })) {
  const { outcomes } = run({ cases, seed, verify });
  console.log(`${what}: ${cases} cases from seed ${seed}: none accepted that nobody signed, none failed`);
  for (const [outcome, count] of Object.entries(outcomes).sort(([, a], [, b]) => b - a))
    console.log(`${count}\t${outcome}`);
}
