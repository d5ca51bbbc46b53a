import { defineConfig } from "vitest/config";

/**
 * The tests that mutants of `protocol/` and `node/aggregation/` run under, in one thread: those beside the code. `MUTATE_TESTS` names
 * fewer of them, such as `node/aggregation/{leaning,vetted-mean}.test.ts`, which is as many times faster.
 */
export default defineConfig({
  test: {
    include: [process.env.MUTATE_TESTS ?? "{protocol,node/aggregation}/**/*.test.ts"],
    setupFiles: ["vitest.mutate.setup.ts"],
    // Changed code may never end.
    testTimeout: 20_000,
    pool: "threads",
    isolate: false,
    maxWorkers: 1,
  },
});
