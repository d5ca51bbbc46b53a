import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

// Every test process and thread loads the same code, which Node.js then compiles once.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "weft-code");

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
