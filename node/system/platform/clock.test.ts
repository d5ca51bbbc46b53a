import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createSystemClock } from "./system-clock.ts";
import { createVirtualClock } from "./virtual-clock.ts";

describe("the virtual clock", () => {
  test("callbacks run when due, in the order of time, then of making, and see their own time", () => {
    const clock = createVirtualClock(1000);
    const seen: [string, number][] = [];
    const note = (name: string) => () => void seen.push([name, clock.now()]);
    clock.after(20, note("late"));
    clock.after(10, note("first"));
    clock.after(10, note("second"));
    const cancel = clock.after(5, note("never"));
    clock.after(10, () => clock.after(0, note("made on the way")));
    cancel();
    cancel();
    expect(clock.nextAt()).toBe(1010);
    clock.advance(15);
    expect(clock.now()).toBe(1015);
    expect(clock.waiting()).toBe(1);
    clock.advance(100);
    expect(seen).toEqual([
      ["first", 1010],
      ["second", 1010],
      ["made on the way", 1010],
      ["late", 1020],
    ]);
    expect(clock.nextAt()).toBeUndefined();
  });
});

describe("the system clock", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("a callback runs once after its delay, and not when cancelled", () => {
    const clock = createSystemClock();
    let count = 0;
    clock.after(10, () => count++);
    clock.after(10, () => (count += 100))();
    vi.advanceTimersByTime(9);
    expect(count).toBe(0);
    vi.advanceTimersByTime(1000);
    expect(count).toBe(1);
  });

  test("a delay longer than the timer can hold is kept, and can be cancelled on the way", () => {
    const clock = createSystemClock();
    const month = 31 * 24 * 3600 * 1000;
    let count = 0;
    clock.after(month, () => count++);
    const cancel = clock.after(month, () => count++);
    vi.advanceTimersByTime(month - 1);
    expect(count).toBe(0);
    cancel();
    vi.advanceTimersByTime(1);
    expect(count).toBe(1);
  });
});
