/** Time that stands still until it is told to go on: the twin that tests and simulations use. */
import type { Clock } from "../../interface/clock.ts";

/** A clock that a test moves. */
export interface VirtualClock extends Clock {
  /** Let so much time pass; callbacks that fall due run in the order of their times, then of their making. */
  advance(byMs: number): void;
  /** When the next callback is due; undefined when none waits. */
  nextAt(): number | undefined;
  /** Callbacks that wait. */
  waiting(): number;
}

/** startMs: what the clock shows at first. */
export function createVirtualClock(startMs = 0): VirtualClock {
  let nowMs = startMs;
  let made = 0;
  const waiting = new Map<number, { readonly at: number; readonly callback: () => void }>();
  const next = (): { readonly id: number; readonly at: number } | undefined => {
    let first: { id: number; at: number } | undefined;
    for (const [id, { at }] of waiting) if (first === undefined || at < first.at) first = { id, at };
    return first;
  };
  return {
    now: () => nowMs,
    after: (delayMs, callback) => {
      const id = made++;
      waiting.set(id, { at: nowMs + Math.max(0, delayMs), callback });
      return () => void waiting.delete(id);
    },
    advance: (byMs) => {
      const until = nowMs + byMs;
      for (let due = next(); due !== undefined && due.at <= until; due = next()) {
        const { callback } = waiting.get(due.id)!;
        waiting.delete(due.id);
        nowMs = due.at;
        callback();
      }
      nowMs = until;
    },
    nextAt: () => next()?.at,
    waiting: () => waiting.size,
  };
}
