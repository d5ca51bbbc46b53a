/** A mutant is tried under many properties: each may take a fifth of a second where few tests were chosen, else two. */
import fc from "fast-check";

const chosen = process.env.MUTATE_TESTS !== undefined;
fc.configureGlobal(chosen ? { numRuns: 50, interruptAfterTimeLimit: 200 } : { interruptAfterTimeLimit: 2000 });
