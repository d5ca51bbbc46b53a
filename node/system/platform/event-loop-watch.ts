/**
 * A watchdog over the event loop of this process. Handlers name themselves where they get the loop (`entered`, `during`); a
 * hold is the time from there to the next name or to the end of the loop's turn. What held the loop without a name is
 * seen by a timer of the system that comes late. A mark costs one reading of a clock, and the first one of a turn a second
 * reading, of processor time: 2 microseconds.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { LOOP_HOLD_MS, type LoopHold, type LoopMarks, type LoopReport } from "../../interface/event-loop.ts";
import type { Logger } from "../../interface/logger.ts";

/** Where holds are told. */
export interface EventLoopWatchDependencies {
  readonly logger: Logger;
  /** Told every `reportMs`, and `newsMs` after the last time where there was a hold. */
  readonly onReport: (report: LoopReport) => void;
  /** Milliseconds of a clock that never goes back, and of this thread's processor time; the machine's when absent. */
  readonly now?: () => number;
  readonly processor?: () => number;
}

/** How often something is told. */
export interface EventLoopWatchOptions {
  /** Shortest time between two lines about one handler. */
  readonly tellMs: number;
  /** A hold of so much processor time is a warning; a shorter one is for whoever looks closer. */
  readonly warnFromMs: number;
  /** Longest time between two reports, and the shortest one after a hold. */
  readonly reportMs: number;
  readonly newsMs: number;
}

/**
 * A line a minute, a report every ten seconds, or a second after a hold. Code that runs for the first time and a busy machine
 * hold the loop for a tenth of a second in every start: nobody has to do anything about that.
 */
export const EVENT_LOOP_WATCH_DEFAULTS: EventLoopWatchOptions = {
  tellMs: 60_000,
  warnFromMs: 1_000,
  reportMs: 10_000,
  newsMs: 1_000,
};

/** The handler of a hold that nobody had named: a library's own work, garbage collection, or other work on the machine. */
export const UNNAMED = "unnamed";

/** Ticks are so far apart while the loop is free: what one is late by is the lag. */
const TICK_MS = 20;
/** The percentile is of so much time. */
const WINDOW_MS = 20_000;
const NANOSECONDS = 1e6;

/** Begins stopped; marks count from the start on. */
export class EventLoopWatch implements LoopMarks {
  readonly #dependencies: Required<EventLoopWatchDependencies>;
  readonly #options: EventLoopWatchOptions;
  readonly #lag = new Lag();
  /** By handler and level. */
  readonly #told = new Map<string, { atMs: number; since: number }>();
  #handler: string | undefined;
  #sinceMs = 0;
  /** Of the turn, or of its last hold. */
  #processorSince = 0;
  #isTurnEnding = false;
  #timer: NodeJS.Timeout | undefined;
  #holds = 0;
  #longest: LoopHold | undefined;
  /** Since the last report. */
  #recent: LoopHold | undefined;
  #tickedMs = 0;
  /** Since the last tick: of holds with a name, of all other handlers together, and the one of these that had most at a time. */
  #heldMs = 0;
  #sharedMs = 0;
  #most: { readonly handler: string; readonly ms: number } | undefined;
  #isNews = false;
  #reportedMs = 0;

  constructor(dependencies: EventLoopWatchDependencies, options: Partial<EventLoopWatchOptions> = {}) {
    this.#dependencies = { now: () => performance.now(), processor: processorOfThread, ...dependencies };
    this.#options = { ...EVENT_LOOP_WATCH_DEFAULTS, ...options };
  }

  /** Idempotent; keeps no process alive. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#lag.start();
    this.#tickedMs = this.#dependencies.now();
    this.#reportedMs = this.#tickedMs;
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#handler = undefined;
    this.#lag.stop();
  }

  readonly entered = (handler: string): void => {
    if (this.#timer !== undefined) this.#pass(handler);
  };

  during<Result>(handler: string, run: () => Result): Result {
    const before = this.#handler;
    this.entered(handler);
    try {
      return run();
    } finally {
      if (this.#timer !== undefined) this.#pass(before);
    }
  }

  /** As of now. */
  report(): LoopReport {
    const [longest, recent] = [this.#longest, this.#recent];
    return { p99Ms: this.#lag.p99(), holds: this.#holds, ...(longest && { longest }), ...(recent && { recent }) };
  }

  /** The loop goes from one handler to the next. */
  #pass(handler: string | undefined): void {
    const now = this.#dependencies.now();
    if (this.#handler !== undefined) this.#left({ handler: this.#handler, ms: now - this.#sinceMs });
    this.#handler = handler;
    this.#sinceMs = now;
    if (handler === undefined || this.#isTurnEnding) return;
    this.#processorSince = this.#dependencies.processor();
    this.#isTurnEnding = true;
    setImmediate(() => {
      this.#isTurnEnding = false;
      this.#pass(undefined);
    });
  }

  #left(had: { readonly handler: string; readonly ms: number }): void {
    const { handler, ms } = had;
    if (ms <= LOOP_HOLD_MS) {
      this.#sharedMs += ms;
      if (ms > (this.#most?.ms ?? 0)) this.#most = had;
      return;
    }
    this.#heldMs += ms;
    const processor = this.#dependencies.processor();
    const processorMs = Math.min(ms, processor - this.#processorSince);
    this.#processorSince = processor;
    this.#note({ handler, ms: round(ms), processorMs: round(processorMs) });
  }

  #note(hold: LoopHold): void {
    this.#holds += 1;
    if (hold.ms > (this.#longest?.ms ?? 0)) this.#longest = hold;
    if (hold.ms > (this.#recent?.ms ?? 0)) this.#recent = hold;
    this.#isNews = true;
    // Of what has no name nobody can do anything, and its processor time is not known.
    const level = (hold.processorMs ?? 0) >= this.#options.warnFromMs ? "warn" : "info";
    const key = `${level} ${hold.handler}`;
    const told = this.#told.get(key) ?? { atMs: Number.NEGATIVE_INFINITY, since: 0 };
    told.since += 1;
    const now = this.#dependencies.now();
    if (now - told.atMs >= this.#options.tellMs) {
      const { handler, ...took } = hold;
      this.#dependencies.logger[level]("the event loop was held", { handler, ...took, times: told.since });
      told.atMs = now;
      told.since = 0;
    }
    this.#told.set(key, told);
  }

  #tick(): void {
    // Whatever ran before this timer is over.
    this.#pass(undefined);
    const now = this.#dependencies.now();
    const restMs = now - this.#tickedMs - TICK_MS - this.#heldMs;
    if (restMs > LOOP_HOLD_MS) {
      const { handler } = this.#most ?? { handler: UNNAMED };
      this.#note({
        handler: this.#sharedMs > restMs / 2 ? `many, the longest ${handler}` : UNNAMED,
        ms: round(restMs),
      });
    }
    this.#tickedMs = now;
    this.#heldMs = 0;
    this.#sharedMs = 0;
    this.#most = undefined;
    this.#lag.tick(now);
    if (now - this.#reportedMs < (this.#isNews ? this.#options.newsMs : this.#options.reportMs)) return;
    this.#isNews = false;
    this.#reportedMs = now;
    this.#dependencies.onReport(this.report());
    this.#recent = undefined;
  }
}

/** By how much a timer of the system comes late, as a percentile of the time just past. */
class Lag {
  readonly #histogram = monitorEventLoopDelay({ resolution: TICK_MS });
  #sinceMs = 0;
  #lastMs: number | undefined;

  start(): void {
    this.#histogram.enable();
    this.#sinceMs = performance.now();
  }

  stop(): void {
    this.#histogram.disable();
  }

  tick(now: number): void {
    if (now - this.#sinceMs < WINDOW_MS) return;
    this.#lastMs = this.#now();
    this.#histogram.reset();
    this.#sinceMs = now;
  }

  /** Of the window before while this one is young. */
  p99(): number {
    const isYoung = performance.now() - this.#sinceMs < WINDOW_MS / 4;
    return round(isYoung && this.#lastMs !== undefined ? this.#lastMs : this.#now());
  }

  #now(): number {
    return Math.max(0, this.#histogram.percentile(99) / NANOSECONDS - TICK_MS);
  }
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

/** This thread's processor time so far, in milliseconds. */
function processorOfThread(): number {
  // Node.js 22 cannot tell it by thread.
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}
