/** Where this package lives: the same from the source in a checkout and from the compiled files in `dist`. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** As package.json says it: the name `weft` in the npm registry is another program's. */
const NAME = "weft-peer";

/** The folder of weft's own package.json.  Throws: Error when it is not found, which means a damaged installation. */
export function packageFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (manifestIn(folder)?.name === NAME) return folder;
    if (folder === dirname(folder)) throw new Error("weft's own package.json is missing: install weft again");
  }
}

/** Such as `0.1.0`. */
export function packageVersion(): string {
  return String(manifestIn(packageFolder())?.version);
}

function manifestIn(folder: string): { name?: unknown; version?: unknown } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
