/** Work that nobody waits for: its failures are logged, and stopping ends it and waits for its end. */
import type { Logger } from "../interface/logger.ts";

/** Work that runs until stop. */
export interface Background {
  /** Aborted when stop begins. */
  readonly signal: AbortSignal;
  /**
   * Start `work`, unless stopped. `what` names it in the log.  The promise resolves when it is over, and never rejects.
   */
  run(what: string, work: (signal: AbortSignal) => Promise<void>): Promise<void>;
  /** Abort everything that runs and wait until it is over; idempotent. */
  stop(): Promise<void>;
}

/** Nothing runs yet. */
export function createBackground({ logger }: { readonly logger: Logger }): Background {
  const controller = new AbortController();
  const running = new Set<Promise<void>>();
  return {
    signal: controller.signal,
    run(what, work) {
      if (controller.signal.aborted) return Promise.resolve();
      const guarded = async (): Promise<void> => {
        try {
          await work(controller.signal);
        } catch (error) {
          if (!controller.signal.aborted) logger.debug(`${what} failed`, { error });
        }
      };
      const task = guarded().finally(() => running.delete(task));
      running.add(task);
      return task;
    },
    async stop() {
      controller.abort(new Error("the peer is stopping"));
      while (running.size > 0) await Promise.all(running);
    },
  };
}
