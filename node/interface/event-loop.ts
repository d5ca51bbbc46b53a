/** The event loop of a peer's process: who has it, and for how long. All network callbacks wait for whoever holds it. */
import type { Clock } from "./clock.ts";

/** Told where a handler gets the loop, so that a hold has a name. Names are fixed text, never a neighbour's. */
export interface LoopMarks {
  /** The handler has the loop from now on, until another one is named or the loop turns. */
  entered(handler: string): void;
  /** The handler has the loop while `run` runs; then whoever had it before. */
  during<Result>(handler: string, run: () => Result): Result;
}

/** A time for which nothing else had the loop. */
export interface LoopHold {
  readonly handler: string;
  /** Of wall time. */
  readonly ms: number;
  /** Of this thread's processor time, at most; much less than `ms` where the machine was busy. Undefined without a name. */
  readonly processorMs?: number;
}

/** How the loop fares. */
export interface LoopReport {
  /** By how much a timer is late, the 99th percentile of the last 20 seconds or so. */
  readonly p99Ms: number;
  /** Times since the start that the loop was held for longer than LOOP_HOLD_MS. */
  readonly holds: number;
  /** Of these the longest, and the longest one since the report before. */
  readonly longest?: LoopHold;
  readonly recent?: LoopHold;
}

/** A handler that holds the loop for longer is told of: a neighbour's ping waits as long, and so do all timers. */
export const LOOP_HOLD_MS = 50;

/** The same clock; each of its timers names itself to the loop's watch. */
export function namedClock(clock: Clock, { entered }: Pick<LoopMarks, "entered">, handler: string): Clock {
  return {
    now: () => clock.now(),
    after: (delayMs, callback) =>
      clock.after(delayMs, () => {
        entered(handler);
        callback();
      }),
  };
}
