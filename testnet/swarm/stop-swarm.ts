/** The end of a swarm: no process is left, and none of its files unless they are to be kept. */
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../node/index.ts";
import { stopProcess } from "./detached-process.ts";
import { STOP_GRACE_MS } from "./start-swarm.ts";
import { type SwarmFile, swarmPath } from "./swarm-file.ts";

/** Stop every process of a swarm.  Returns how many ran. */
export async function stopSwarm(folder: string, { peers, page }: SwarmFile): Promise<number> {
  const processes = [...peers, ...(page === undefined ? [] : [page])];
  const ran = await Promise.all(processes.map((one) => stopProcess(one, STOP_GRACE_MS)));
  await rm(swarmPath(folder), { force: true });
  return ran.filter(Boolean).length;
}

/** What a swarm puts into its folder. */
const OF_SWARM = /^(peer-\d+(\.log)?|network\.json|page(\.log)?|swarm\.json)$/;

/** Remove the files of a swarm, and the folder where nothing else is in it. */
export async function removeSwarm(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (OF_SWARM.test(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Remove the folder of a swarm where nothing is in it. */
export async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT", "EBUSY"].includes(systemCode(error) ?? "")) throw error;
  }
}
