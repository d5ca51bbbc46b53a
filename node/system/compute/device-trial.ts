/**
 * A training step on a device, in a process of its own: a driver that crashes or hangs takes nothing else with it.
 */
import { fork } from "node:child_process";
import type { Provider } from "../../interface/runtime.ts";
import type { TrialKind, TrialStep } from "../../training/trial-step.ts";

/** A step for each kind of adapter. */
export type TrialSteps = Readonly<Record<TrialKind, TrialStep>>;

/** The steps with products in 16 bits, or why the device has none. */
export type Float16Trial =
  | { readonly ok: true; readonly steps: TrialSteps }
  | { readonly ok: false; readonly reason: string };

/** What the process says before it ends. */
export type TrialMessage =
  | { readonly ok: true; readonly steps: TrialSteps; readonly float16: Float16Trial }
  | { readonly ok: false; readonly code: string | undefined; readonly reason: string };

/** The answer of the trial's process, or the news that it crashed. */
export type TrialResult = TrialMessage | { readonly ok: false; readonly code: "CRASHED"; readonly reason: string };

/** Compiling all kernels in software takes half a minute; four times that. */
export const TRIAL_TIMEOUT_MS = 120_000;

/** Characters of the process's last words that are kept. */
const WORDS_MAX = 2_000;

/** The model that is tried, and the time that it may take. */
export interface TrialOptions {
  readonly modelDirectory: string;
  /** After it the process is killed. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** One LoReFT and one LoRA step of a model on a device.  Rejects with the signal's reason when aborted. */
export function tryDevice(
  device: Provider,
  { modelDirectory, timeoutMs, signal, environment }: TrialOptions,
): Promise<TrialResult> {
  signal.throwIfAborted();
  // The compiled package runs the compiled file.
  const file = import.meta.url.endsWith(".ts") ? "./device-trial-process.ts" : "./device-trial-process.js";
  const child = fork(new URL(file, import.meta.url), [device, modelDirectory], {
    serialization: "advanced",
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let words = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-WORDS_MAX);
  });
  let message: TrialMessage | undefined;
  child.on("message", (received) => {
    message = received as TrialMessage;
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const abort = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", abort, { once: true });
  return new Promise<TrialResult>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, ended) => {
      if (signal.aborted) return reject(signal.reason);
      const last = words.trim().split("\n").at(-1)?.trim();
      const how = isLate
        ? `no result within ${timeoutMs / 1000} s`
        : `its process ended with ${ended ?? `code ${code}`}`;
      resolve(message ?? { ok: false, code: "CRASHED", reason: last && !isLate ? `${how}: ${last}` : how });
    });
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  });
}
