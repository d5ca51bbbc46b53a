import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Every test process and thread loads the same code, which Node.js then compiles once.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "weft-code");

/**
 * Rooms whose tests leave nothing behind in their process: their files share two processes, so that
 * what they import is loaded twice and not a hundred times. Every other file has a process of its own. Projects run in
 * the order of their names, so that whole peers, which mostly wait, do not come last.
 */
const SHARING = [
  "protocol/**/*.test.ts",
  "node/{adapter,admin,aggregation,audit,autodiff,data,data-directory,doctor,exchange,generation,golden,interchange,lambda,library,local,membership,model,onnx,page,pretrain,privacy,round,tracing,training}/**/*.test.ts",
  "node/peer/**/!(switch-network).test.ts",
  "node/manifest/!(model-digests).test.ts",
  "node/system/{compute,files,network}/**/*.test.ts",
  "node/system/platform/{ed25519,log,sha256}.test.ts",
  "node/{bench,shutdown,interface}/**/*.test.ts",
  "testnet/*.test.ts",
  "testnet/{evaluation,swarm,words}/**/*.test.ts",
  "cli/**/*.test.ts",
  // What reads the whole source before its first test is not to come last.
  ".ci/!(house).test.ts",
];
const ELSEWHERE = ["**/*.long.test.ts", "**/*.python.test.ts", "**/*.soak.test.ts", "**/node_modules/**"];

/** Tests that take minutes (`*.long.test.ts`) have scripts of their own; vitest.long.config.ts runs them. */
export default defineConfig({
  // The package's own name means its source here, as in the examples.
  resolve: { conditions: ["weft-source", ...defaultServerConditions] },
  ssr: { resolve: { conditions: ["weft-source", ...defaultServerConditions] } },
  test: {
    pool: "forks",
    // One more than the cores that the tests are meant for: a third of their time is waiting.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // On a machine lent to many a whole process may stand still for half a minute. A test that ran out of time there, and only
    // such a one, is tried once more, and the output says so; a wrong result fails at once.
    retry: process.env.CI === undefined ? 0 : { count: 1, condition: /timed out in \d+ms/ },
    projects: [
      {
        extends: true,
        test: {
          name: "apart",
          include: ["{protocol,node,cli,testnet,.ci}/**/*.test.ts"],
          exclude: [...SHARING, ...ELSEWHERE],
        },
      },
      { extends: true, test: { name: "sharing", include: SHARING, exclude: ELSEWHERE, isolate: false } },
    ],
  },
});
