/** Processes that outlive the command that starts them, and signals that reach nobody else. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { isProcessRunning, NodeError, processMark } from "../../node/index.ts";
import { PEER_ENVIRONMENT } from "../peer-process.ts";
import type { SwarmProcess } from "./swarm-file.ts";

/** How often is looked whether a process has ended. */
const LOOK_MS = 50;
/** Lines of what a process printed that say why it did not start. */
const LAST_LINES = 5;

/**
 * Start the `weft` command so that it goes on when this process and its terminal are gone. What it prints is added to a file.
 * Throws: NodeError PEER_FAILED.
 */
export async function startDetached(
  command: string,
  { words, printed }: { readonly words: readonly string[]; readonly printed: string },
): Promise<SwarmProcess> {
  // Whoever is started by npm stops when npm does; this process stays.
  const { npm_command: _, ...environment } = process.env;
  const output = openSync(printed, "a", 0o600);
  try {
    const child = spawn(process.execPath, [command, ...words], {
      stdio: ["ignore", output, output],
      detached: true,
      env: { ...PEER_ENVIRONMENT, ...environment },
    });
    child.on("error", () => undefined);
    child.unref();
    const mark = child.pid === undefined ? undefined : await processMark(child.pid);
    if (mark === undefined) throw new NodeError("PEER_FAILED", `cannot start a process; ${printed} has its words`);
    return { mark, startedAt: new Date().toISOString() };
  } finally {
    closeSync(output);
  }
}

/** Send a signal, unless the process has ended, or another one has its number.  Returns whether it was sent. */
export async function signalProcess({ mark }: SwarmProcess, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isProcessRunning(mark))) return false;
  try {
    process.kill(mark.process, signal);
    return true;
  } catch {
    return false;
  }
}

/** Resolves with whether the process has ended within a time. */
export async function hasEnded({ mark }: SwarmProcess, waitMs: number): Promise<boolean> {
  for (const until = performance.now() + waitMs; ; ) {
    if (!(await isProcessRunning(mark))) return true;
    if (performance.now() >= until) return false;
    await delay(LOOK_MS);
  }
}

/** Stop a process: asked at first, and killed where it has not ended within a time.  Returns whether it ran. */
export async function stopProcess(one: SwarmProcess, graceMs: number): Promise<boolean> {
  if (!(await signalProcess(one, "SIGTERM"))) return false;
  // A process that stands still hears the first signal once it goes on.
  await signalProcess(one, "SIGCONT");
  if (await hasEnded(one, graceMs)) return true;
  await signalProcess(one, "SIGKILL");
  await hasEnded(one, graceMs);
  return true;
}

/** Of what a process printed that did not start: what went wrong in its words, or its last lines. */
export async function lastWords(printed: string): Promise<string> {
  const lines = (await readFile(printed, "utf8")).trim().split("\n");
  const said = lines.findLast((line) => line.startsWith("weft: "))?.slice("weft: ".length);
  return said ?? lines.slice(-LAST_LINES).join("\n  ");
}
