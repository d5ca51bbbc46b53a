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
  },
});
