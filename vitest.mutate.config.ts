import { defineConfig } from "vitest/config";

/** The tests that mutants of `protocol/` and `node/aggregation/` run under: those beside them, in one process each. */
export default defineConfig({
  test: {
    include: ["{protocol,node/aggregation}/**/*.test.ts"],
    // Changed code may never end.
    testTimeout: 20_000,
    pool: "forks",
    maxWorkers: 1,
  },
});
