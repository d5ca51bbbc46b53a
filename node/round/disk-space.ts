/** A full disk stops a peer for as long as it is full, and loses nothing. */
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";

/** First and longest time between two attempts, in milliseconds; it doubles in between. */
export const RETRY_MS = { first: 1_000, longest: 60_000 } as const;

/**
 * Do `work` until there is space for it. `onPause` is told once, at the first failure.
 * Throws: what `work` throws other than DISK_FULL; the signal's reason when aborted while it waits.
 */
export async function whenDiskHasSpace<T>(
  work: () => Promise<T>,
  {
    clock,
    logger,
    signal,
    onPause,
  }: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly signal: AbortSignal;
    readonly onPause: (reason: string) => void;
  },
): Promise<T> {
  for (let delayMs: number = RETRY_MS.first, attempt = 1; ; delayMs = Math.min(RETRY_MS.longest, 2 * delayMs)) {
    try {
      const result = await work();
      if (attempt > 1) logger.info("there is space again, going on", { attempts: attempt });
      return result;
    } catch (error) {
      if (!(error instanceof NodeError) || error.code !== "DISK_FULL") throw error;
      // That it waits was told; how often it has tried is for who looks closer.
      if (attempt === 1) onPause(`${error.message}; free some space and it goes on`);
      else logger.info("disk full, waiting for space", { reason: error.message, attempt, retryInMs: delayMs });
      attempt++;
      await wait(clock, delayMs, signal);
    }
  }
}

/** Resolves after the delay.  Throws: the signal's reason as soon as it is aborted. */
function wait(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
