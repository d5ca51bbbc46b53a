import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type LoopReport, namedClock } from "../../interface/event-loop.ts";
import { EVENT_LOOP_WATCH_DEFAULTS, EventLoopWatch, type EventLoopWatchOptions, UNNAMED } from "./event-loop-watch.ts";
import { createSystemClock } from "./system-clock.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A watch that has started, by a time that passes only in `hold`: half of it is processor time. */
function watched(options: Partial<EventLoopWatchOptions> = {}) {
  const lines: { readonly level: string; readonly text: string; readonly fields: Record<string, unknown> }[] = [];
  const reports: LoopReport[] = [];
  const level =
    (name: string) =>
    (text: string, fields: object = {}) =>
      void lines.push({ level: name, text, fields: { ...fields } });
  const logger = { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
  let time = 1000;
  const watch = new EventLoopWatch(
    { logger, onReport: (report) => reports.push(report), now: () => time, processor: () => time / 2 },
    { warnFromMs: 1, ...options },
  );
  stops.push(() => watch.stop());
  watch.start();
  const warned = () => lines.filter((line) => line.level === "warn").map(({ fields }) => fields);
  const hold = (ms: number): void => void (time += ms);
  return { watch, hold, lines, reports, warned };
}

/** Longer than the system's timers are apart. */
const tick = (): Promise<void> => pause(60);

test("whoever holds the loop for longer than 50 ms is named, with its wall and processor time, and nobody else is", async () => {
  const { watch, hold, warned } = watched();
  watch.entered("quick");
  hold(50);
  watch.entered("slow");
  hold(80);
  watch.entered("quick");
  hold(20);
  await turn();
  expect(watch.report()).toMatchObject({ holds: 1, longest: { handler: "slow", ms: 80, processorMs: 65 } });
  expect(warned()).toEqual([{ handler: "slow", ms: 80, processorMs: 65, times: 1 }]);
});

test("what a handler goes on with after it waited is its own once it has said that it goes on, to the end of the turn", async () => {
  const { watch, hold, warned } = watched();
  watch.entered("reader");
  await turn();
  hold(80);
  await turn();
  expect(warned()).toEqual([]);
  watch.entered("reader");
  await Promise.resolve();
  hold(80);
  await turn();
  expect(warned()).toMatchObject([{ handler: "reader", times: 1 }]);
});

test("a handler within another one gives the loop back to it, also when it throws", async () => {
  const { watch, hold } = watched();
  watch.entered("connection");
  expect(watch.during("gossip", () => 7)).toBe(7);
  hold(80);
  await turn();
  expect(watch.report().longest?.handler).toBe("connection");
  const refuse = (): void => {
    hold(120);
    throw new Error("refused");
  };
  expect(() => watch.during("gossip", refuse)).toThrow("refused");
  hold(200);
  expect(watch.report()).toMatchObject({ holds: 2, longest: { handler: "gossip", ms: 120 } });
});

test("a timer of a named clock is named", async () => {
  const { watch, hold } = watched();
  const clock = namedClock(createSystemClock(), watch, "timer of the exchange");
  await new Promise<void>((resolve) => {
    clock.after(1, () => {
      hold(80);
      resolve();
    });
  });
  await turn();
  expect(watch.report().longest?.handler).toBe("timer of the exchange");
});

test("a handler is warned of once within the time, and then with the number of holds since", async () => {
  const { watch, hold, warned } = watched({ tellMs: 1_000 });
  for (const ms of [60, 60, 60, 940, 60]) {
    watch.entered(ms === 940 ? "slower" : "slow");
    hold(ms);
    await turn();
  }
  expect(warned()).toMatchObject([
    { handler: "slow", times: 1 },
    { handler: "slower", times: 1 },
    { handler: "slow", times: 3 },
  ]);
});

test("an operator is warned of a second of processor time, also soon after a shorter hold, which is for whoever looks closer", async () => {
  const { watch, hold, lines } = watched({ warnFromMs: EVENT_LOOP_WATCH_DEFAULTS.warnFromMs });
  for (const ms of [200, 1_900, 2_100]) {
    watch.entered("slow");
    hold(ms);
    await turn();
  }
  expect(lines.map(({ level, fields }) => [level, fields.ms])).toEqual([
    ["info", 200],
    ["warn", 2_100],
  ]);
});

test("what nobody has named is seen by a late timer: it is counted, and no warning", async () => {
  const { watch, hold, lines, warned } = watched();
  await tick();
  hold(150);
  await tick();
  expect(watch.report()).toMatchObject({ holds: 1, longest: { handler: UNNAMED, ms: 130 } });
  expect([warned(), lines.map(({ level }) => level)]).toEqual([[], ["info"]]);
});

test("many handlers that hold the loop together are told as such, with the one of them that had it longest", async () => {
  const { watch, hold } = watched();
  for (const ms of [25, 45, 25, 25, 80]) {
    watch.entered({ 45: "gossip", 80: "slow" }[ms] ?? "connection");
    hold(ms);
  }
  await tick();
  expect(watch.report()).toMatchObject({ holds: 2, longest: { handler: "many, the longest gossip", ms: 100 } });
});

test("a report comes after a hold and from time to time, and has the lag of the system's own timers", async () => {
  const { watch, hold, reports } = watched({ newsMs: 100, reportMs: 10_000 });
  hold(110);
  await tick();
  expect(reports).toMatchObject([{ holds: 1, longest: { handler: UNNAMED }, recent: { handler: UNNAMED } }]);
  await tick();
  expect(reports).toHaveLength(1);
  for (let second = 0; second < 300; second++) {
    hold(60);
    watch.entered("quick");
    await turn();
  }
  await tick();
  expect(reports.length).toBeGreaterThan(1);
  expect(reports.at(-1)?.recent?.ms).toBeGreaterThan(50);
  expect(watch.report().recent).toBeUndefined();
  // In truth nothing held the loop.
  expect(reports.at(-1)?.p99Ms).toBeGreaterThanOrEqual(0);
});

test("with the machine's own clocks, a real hold is as long as it was", async () => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const watch = new EventLoopWatch({ logger, onReport: () => {} });
  stops.push(() => watch.stop());
  watch.start();
  watch.entered("slow");
  for (const end = performance.now() + 80; performance.now() < end; );
  await turn();
  const { longest } = watch.report();
  expect(longest?.ms).toBeGreaterThanOrEqual(80);
  expect(longest?.processorMs).toBeLessThanOrEqual(longest?.ms ?? 0);
});

test("nothing is told before it is started and after it was stopped", async () => {
  const { watch, hold, lines } = watched();
  watch.stop();
  watch.entered("slow");
  hold(80);
  await tick();
  expect(lines).toEqual([]);
});
