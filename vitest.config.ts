import { defineConfig } from "vitest/config";

/** Fast tests first in the house; whole-process tests (`*.e2e.test.ts`) get the long timeouts they wait under. */
export default defineConfig({
  test: {
    include: ["{protocol,node,cli,testnet,.ci}/**/*.test.ts"],
    exclude: ["**/*.long.test.ts", "**/*.python.test.ts", "**/*.soak.test.ts", "**/node_modules/**"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // On a machine lent to many a whole process may stand still for half a minute. A test that ran out of time there, and only
    // such a one, is tried once more, and the output says so; a wrong result fails at once.
    retry: process.env.CI === undefined ? 0 : { count: 1, condition: /timed out in \d+ms/ },
  },
});
