/** A process that goes over to the next manifest in the folder of its first argument, and kills itself at a write. */
import { promises } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { succeedingManifest } from "../../protocol/membership/succession.ts";
import { EXAMPLE_GENESIS, ROSTER_MANIFEST } from "../../protocol/vectors/example-roster.ts";
import { createLogger } from "../system/platform/log.ts";
import { switchNetwork } from "./switch-network.ts";

const [folder = "", last = ""] = process.argv.slice(2);
let calls = 0;
for (const name of ["mkdir", "open", "rename", "rm", "writeFile", "link"] as const) {
  const call = promises[name] as (...given: unknown[]) => Promise<unknown>;
  Object.assign(promises, {
    [name]: (...given: unknown[]) => {
      if (calls++ >= Number(last)) process.kill(process.pid, "SIGKILL");
      return call(...given);
    },
  });
}
syncBuiltinESMExports();
const next = succeedingManifest(ROSTER_MANIFEST, { name: "hearts-2" }, 7);
const logger = createLogger({ level: "error" });
await switchNetwork(folder, { genesis: EXAMPLE_GENESIS, before: ROSTER_MANIFEST, next }, { logger });
