/**
 * Large pages for the memory of those commands that train. An allocator reads in its environment whether to ask for them when
 * a process begins, so that this process is begun once more, in its own place. Plain JavaScript, because cli/weft.js reads it
 * in old versions too.
 */
import { readFileSync } from "node:fs";

/** Commands whose steps or texts take long enough. */
const LONG = new Set(["run", "train", "eval", "generate", "testnet"]);
const ENABLED = "/sys/kernel/mm/transparent_hugepage/enabled";
const TUNABLES = "GLIBC_TUNABLES";

/**
 * Begin again with large pages, where the kernel gives them to who asks; returns where there is nothing to do. What the user
 * has set stays, and a channel to a parent would not outlive it.
 */
export function askForLargePages() {
  const { execve, argv, env } = process;
  if (!argv.slice(2).some((word) => LONG.has(word)) || process.channel || typeof execve !== "function") return;
  const environment = withLargePages(env);
  if (environment !== env)
    execve(process.execPath, [process.argv0, ...process.execArgv, ...argv.slice(1)], environment);
}

/** The same environment where the kernel gives large pages to everybody or nobody, or where the user has set it. @param {NodeJS.ProcessEnv} env */
export function withLargePages(env) {
  if (process.platform !== "linux" || env[TUNABLES] !== undefined || !givesThemOnRequest()) return env;
  return { ...env, [TUNABLES]: "glibc.malloc.hugetlb=1" };
}

function givesThemOnRequest() {
  try {
    return readFileSync(ENABLED, "utf8").includes("[madvise]");
  } catch {
    return false;
  }
}
