/** The machine's own time. */
import type { Clock } from "../../interface/clock.ts";

/** setTimeout fires at once when asked for more than a signed 32-bit count of milliseconds. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** The clock of the machine, in milliseconds since the Unix epoch. */
export function createSystemClock(): Clock {
  return {
    now: () => Date.now(),
    after: (delayMs, callback) => {
      let timer: ReturnType<typeof setTimeout>;
      const arm = (leftMs: number): void => {
        const stepMs = Math.min(leftMs, DELAY_MS_MAX);
        timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : callback()), stepMs);
      };
      arm(Math.max(0, delayMs));
      return () => clearTimeout(timer);
    },
  };
}
