/**
 * Threads for training. One that a training has left waits a moment for the next: loading the engine takes half a second of the
 * processor, as long as many a short training does. Who compares settings trains again and again.
 */
import { Worker } from "node:worker_threads";

/**
 * Room for short-lived objects of JavaScript: building a graph leaves as much garbage as is let lie. Measured at
 * SmolLM2-135M's size: 43 MB less at the peak than with the usual room of 48 MB, and graphs are built as fast.
 */
export const YOUNG_MB = 6;

/** A thread that nobody has taken after so long is ended, and its memory is free. */
const WAIT_MS = 2_000;

interface Waiting {
  readonly worker: Worker;
  readonly environment: string;
  readonly timer: NodeJS.Timeout;
}

let waiting: Waiting | undefined;

/** A thread that no training uses: the one that waits, or a new one. */
export function takeThread(): Worker {
  if (waiting !== undefined && waiting.environment === environmentNow()) {
    const { worker, timer } = waiting;
    clearTimeout(timer);
    worker.ref();
    waiting = undefined;
    return worker;
  }
  // The compiled package runs the compiled worker.
  const file = import.meta.url.endsWith(".ts") ? "./trainer-worker.ts" : "./trainer-worker.js";
  const worker = new Worker(new URL(file, import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
  worker.on("exit", () => {
    if (waiting?.worker === worker) waiting = undefined;
  });
  // What ends a thread that waits ends no program.
  worker.on("error", () => undefined);
  return worker;
}

/** Let a thread wait that a training has left. It keeps no process alive. */
export function keepThread(worker: Worker): void {
  if (waiting !== undefined) void waiting.worker.terminate();
  const timer = setTimeout(() => void worker.terminate(), WAIT_MS);
  timer.unref();
  worker.unref();
  waiting = { worker, environment: environmentNow(), timer };
}

/** A thread has a copy of the environment from when it was made. */
const environmentNow = (): string => JSON.stringify(process.env);
