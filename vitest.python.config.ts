import { defineConfig } from "vitest/config";

/** Tests against the programs whose files weft reads and writes, where a Python has them (`npm run test:python`). */
export default defineConfig({
  test: { include: ["node/**/*.python.test.ts"], pool: "forks", maxWorkers: 1 },
});
