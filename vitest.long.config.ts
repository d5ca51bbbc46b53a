import { defineConfig } from "vitest/config";

/** Tests that take minutes, each with a script of its own in package.json. */
export default defineConfig({
  test: {
    include: ["{protocol,node,cli,testnet}/**/*.long.test.ts"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
