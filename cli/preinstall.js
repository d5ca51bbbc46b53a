/**
 * Runs before the install scripts of the dependencies when the published package is installed.
 *
 * On Linux x64 the install script of onnxruntime-node fetches CUDA libraries from outside the npm registry, which weft
 * does not use, and fails the whole installation where they cannot be reached. It fetches nothing when the files are
 * there, so empty ones are put in their place. `ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node` fetches
 * the real ones over them. (In a checkout `allowScripts` and .ci/no-download do the same.)
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const isCheckout = existsSync(new URL("main.ts", import.meta.url));
const fetchIsWanted = process.env.ONNXRUNTIME_NODE_INSTALL !== undefined;

if (!isCheckout && !fetchIsWanted) {
  const platform = `${process.platform}/${process.arch}`;
  for (const file of filesToFetch(platform)) {
    if (existsSync(file)) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "");
  }
}

/** What the install script would fetch for a platform; nothing where it cannot be read. @param {string} platform */
function filesToFetch(platform) {
  try {
    const folder = dirname(require.resolve("onnxruntime-node/package.json"));
    const { requirements, manifests } = require(join(folder, "script", "install-metadata.js"));
    const names = requirements[platform] ?? [];
    const paths = names.flatMap((name) => Object.keys(manifests[`${platform}:${name}`] ?? {}));
    return paths.map((path) => join(folder, "bin", "napi-v6", platform, path));
  } catch {
    // Another layout of onnxruntime-node: leave everything to its own script.
    return [];
  }
}
