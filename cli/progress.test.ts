/** Progress: when a word is said, on a terminal and elsewhere, and what it says. */
import { describe, expect, it } from "vitest";
import type { Work } from "../node/index.ts";
import { Progress, type ProgressOptions } from "./progress.ts";
import { Pace, timeWords } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";

describe("a line of progress", () => {
  const at = (seconds: number, work: Partial<Work>, later: Partial<Work> = work) => {
    const whole = { what: "hashing", done: 0, ...work };
    const pace = new Pace({ ...whole, done: 0 }, 0);
    for (let second = 1; second <= seconds; second++) {
      pace.note({ ...whole, ...later, done: (whole.done * second) / seconds }, 1000 * second);
    }
    return pace.line(1000 * seconds);
  };

  it("has count, share, rate and time left", () => {
    expect(at(4, { done: 400e6, total: 1.2e9, unit: "bytes" })).toBe(
      "hashing: 400 MB of 1.20 GB, 33 %, 100 MB/s, 8 s left",
    );
    expect(at(2, { what: "training", done: 3, total: 600, unit: "steps", note: "loss 1.5" })).toBe(
      "training: 3 of 600 steps, 0 %, 1.5 steps a second, 6 min 38 s left, loss 1.5",
    );
    expect(at(60, { done: 6, total: 12, unit: "items" })).toContain("6.0 items a minute, 1 min left");
  });

  it("says how long it has taken where nothing is counted", () => {
    expect(at(65, {})).toBe("hashing, 1 min 5 s so far");
    expect(at(3, { done: 0, total: 10, unit: "items" })).toBe("hashing: 0 of 10 items, 0 %, 3 s so far");
  });

  it("begins anew with a smaller count", () => {
    const pace = new Pace({ what: "steps", done: 0, total: 8 }, 0);
    pace.note({ what: "steps", done: 8, total: 8 }, 1000);
    pace.note({ what: "steps", done: 1, total: 8 }, 2000);
    pace.note({ what: "steps", done: 2, total: 8 }, 3000);
    expect(pace.line(3000)).toContain("1.0 a second, 6 s left");
  });

  it.each([
    [0.2, "0 s"],
    [59, "59 s"],
    [3600, "1 h"],
    [86_400 + 7_300, "1 d 2 h"],
  ])("%s seconds are %s", (seconds, words) => {
    expect(timeWords(seconds)).toBe(words);
  });
});

describe("progress", () => {
  const begin = (change: Partial<Terminal> = {}, options: Partial<ProgressOptions> = {}) => {
    const said: { readonly at: number; readonly text: string }[] = [];
    const clock = { now: 0 };
    const terminal: Terminal = {
      out: (text) => void said.push({ at: clock.now, text: `out ${text}` }),
      err: (text) => void said.push({ at: clock.now, text }),
      errIsTerminal: false,
      columns: () => 30,
      nextLine: () => Promise.resolve(),
      environment: {},
      signal: new AbortController().signal,
      ...change,
    };
    const progress = new Progress(terminal, { takesLong: true, staysOn: false, now: () => clock.now, ...options });
    const go = (seconds: number): void => {
      for (let i = 0; i < 4 * seconds; i++) {
        clock.now += 250;
        progress.hear({ what: "hashing", done: clock.now, total: 1e6 });
      }
    };
    return { progress, said, go, clock };
  };

  it("says nothing of what is over within two seconds", () => {
    const { said, go } = begin();
    go(1.75);
    expect(said).toEqual([]);
  });

  it("is a line every few seconds where there is no terminal: no silence of ten seconds, no flood", () => {
    const { said, go } = begin();
    go(600);
    const times = said.map(({ at }) => at / 1000);
    const gaps = times.map((at, i) => at - (times[i - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(10);
    expect(said.length).toBeLessThan(90);
    expect(said.every(({ text }) => /^hashing: \d+ of 1000000, .* left\n$/.test(text))).toBe(true);
  });

  it("waits where something else was said meanwhile", () => {
    const { progress, said, go } = begin();
    for (let i = 0; i < 10; i++) {
      go(1.5);
      progress.terminal.err("a fact\n");
    }
    expect(said.map(({ text }) => text)).toEqual(Array(10).fill("a fact\n"));
  });

  it("tells the thread beside of everything that is said, so that this one does not break a silence that is none", () => {
    const heard: number[] = [];
    const share = { saidAt: 0, isDrawn: false, set: () => undefined, cleared: () => undefined, close: () => undefined };
    const watch = () => ({ ...share, said: (at: number) => void heard.push(at) });
    const { progress, clock } = begin({ ownsProcess: true }, { watch, staysOn: true });
    progress.start();
    clock.now = 1_500;
    progress.terminal.err("round 1/40\n");
    progress.end();
    expect(heard).toEqual([1_500]);
  });

  it("is a line a minute of a peer that has settled", () => {
    const { said, go } = begin({}, { staysOn: true });
    go(1200);
    expect(said.filter(({ at }) => at > 120_000).length).toBeLessThanOrEqual(18);
  });

  it("is one line that is drawn over on a terminal, cut at its edge and cleared for what else is said", () => {
    const { progress, said, go } = begin({ errIsTerminal: true, outIsTerminal: true });
    go(2);
    expect(said.every(({ text }) => text.startsWith("\r\x1b[Khashing: ") && text.length <= 4 + 29)).toBe(true);
    const count = said.length;
    progress.terminal.err("a fact\n");
    progress.terminal.out("data\n");
    go(1);
    progress.terminal.out("data\n");
    progress.end();
    progress.end();
    const rest = said.slice(count).map(({ text }) => (text.startsWith("\r\x1b[Kh") ? "drawn" : text));
    expect(rest.filter((text, i) => text !== rest[i - 1])).toEqual([
      "\r\x1b[K",
      "a fact\n",
      "out data\n",
      "drawn",
      "\r\x1b[K",
      "out data\n",
    ]);
  });

  it("says that work goes on where nobody tells of it, but not of what stays on", () => {
    for (const staysOn of [false, true]) {
      const { progress, said } = begin({}, { staysOn });
      progress.hear({ what: "nothing", isOver: true });
      expect(said).toEqual([]);
    }
    const { progress, said, go } = begin();
    go(3);
    progress.hear({ what: "hashing", isOver: true });
    expect(said).toHaveLength(1);
  });

  it("says nothing of work while a view is drawn that shows it", () => {
    const drawn: string[] = [];
    const { progress, clock } = begin({ errIsTerminal: true, draw: (text) => void drawn.push(text) });
    const wait = (ms: number): void => {
      clock.now += ms;
      progress.hear({ what: "nothing", isOver: true });
    };
    for (let i = 0; i < 8; i++) {
      progress.terminal.draw?.("view");
      wait(1_000);
    }
    expect(drawn.filter((text) => text !== "view")).toEqual([]);
    wait(5_000);
    expect(drawn.at(-1)).toContain("working, ");
  });

  it("leaves the line to whoever types an answer", async () => {
    const answer: { give?: (text: string) => void } = {};
    const askLine = (): Promise<string> => new Promise((resolve) => (answer.give = resolve));
    const { progress, said, go } = begin({ errIsTerminal: true, askLine });
    go(1);
    const asked = progress.terminal.askLine?.("name: ");
    const count = said.length;
    go(20);
    expect(said).toHaveLength(count);
    answer.give?.("poems");
    expect(await asked).toBe("poems");
    go(1);
    expect(said.length).toBeGreaterThan(count);
  });

  it("is silent with --quiet", () => {
    const { said, go } = begin({ isQuiet: true });
    go(60);
    expect(said).toEqual([]);
  });
});
