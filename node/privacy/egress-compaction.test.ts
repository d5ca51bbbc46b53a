/** Floods of messages cost the egress ledger few lines, and no message leaves before what is said of it is on record. */
import { beforeEach, describe, expect, test } from "vitest";
import type { EgressMessage } from "../interface/egress.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { COMPACTION_DEFAULTS, EgressCompaction } from "./egress-compaction.ts";
import { type CountedMessage, messageCount } from "./egress-record.ts";

let clock: VirtualClock;
let lines: CountedMessage[];
let write: (message: CountedMessage) => Promise<void>;
let compaction: EgressCompaction;
beforeEach(() => {
  clock = createVirtualClock(0);
  lines = [];
  write = async (message) => void lines.push(message);
  compaction = new EgressCompaction({ clock, write: (message) => write(message), onLater: () => {} });
});

const heads = (content = "ab", to = "a"): EgressMessage => ({
  kind: "heads",
  protocol: "/weft/heads/1",
  to: [to],
  bytes: 10,
  content: content.padStart(64, "0"),
  epsilon: null,
});
/** Let what is resolved go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("repeats of a message", () => {
  test("are counted in one line a minute, whoever asks for how many", async () => {
    for (let second = 0; second < 180; second++) {
      await Promise.all(Array.from({ length: 100 }, () => compaction.append(heads())));
      clock.advance(1_000);
    }
    await settled();
    expect(lines).toHaveLength(6);
    expect(lines[1]).toMatchObject({ repeats: 5_999, bytes: 59_990, to: ["a"] });
    expect(lines.reduce((sum, line) => sum + messageCount(line), 0)).toBe(18_000);
  });

  test("are told apart by recipient, content and budget", async () => {
    await compaction.append(heads("ab", "a"));
    await compaction.append(heads("ab", "b"));
    await compaction.append(heads("cd", "a"));
    await compaction.append({ ...heads(), epsilon: 1 });
    expect(lines).toHaveLength(4);
  });

  test("leave only once the first one is on record, and not where it failed", async () => {
    const first = Promise.withResolvers<void>();
    write = () => first.promise;
    const both = [compaction.append(heads()), compaction.append(heads())];
    let left = 0;
    for (const one of both) one.then(() => left++).catch(() => undefined);
    await settled();
    expect(left).toBe(0);
    first.reject(new Error("no space"));
    await expect(Promise.allSettled(both)).resolves.toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
    write = async (message) => void lines.push(message);
    await compaction.append(heads());
    expect(lines).toEqual([heads()]);
  });

  test("are counted on where their count cannot be written, and it is told at the end", async () => {
    await compaction.append(heads());
    await compaction.append(heads());
    write = () => Promise.reject(new Error("no space"));
    clock.advance(COMPACTION_DEFAULTS.repeatMs);
    await settled();
    await compaction.append(heads());
    write = async (message) => void lines.push(message);
    await compaction.close();
    expect(lines.map(messageCount)).toEqual([1, 2]);
    expect(clock.waiting()).toBe(0);
  });

  test("are remembered of so many messages; what is forgotten is told first", async () => {
    await compaction.append(heads("0"));
    await compaction.append(heads("0"));
    for (let n = 1; n <= COMPACTION_DEFAULTS.rememberedMax; n++) {
      void compaction.append({ ...heads(String(n)), kind: n % 2 === 0 ? "answer" : "request" });
    }
    await settled();
    expect(lines.filter(({ repeats }) => repeats !== undefined)).toEqual([{ ...heads("0"), repeats: 1 }]);
  });
});

describe("different messages of one kind", () => {
  test("have so many lines, and those of one second share a line beyond that", async () => {
    const { burst, perSecond } = COMPACTION_DEFAULTS;
    let sent = 0;
    for (let second = 0; second < 60; second++) {
      for (let one = 0; one < 100; one++) void compaction.append(heads(`${second}f${one}`)).then(() => sent++);
      clock.advance(1_000);
      await settled();
    }
    expect(sent).toBe(6_000);
    expect(lines.length).toBeLessThanOrEqual(burst + 60 * (perSecond + 1));
    expect(lines.reduce((sum, line) => sum + messageCount(line), 0)).toBe(6_000);
    expect(lines.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(60_000);
  });

  test("wait a second at most for the line that they share; other kinds do not wait", async () => {
    for (let n = 0; n < COMPACTION_DEFAULTS.burst; n++) await compaction.append(heads(String(n)));
    lines = [];
    let left = 0;
    for (const to of ["b", "a"]) void compaction.append(heads("f", to)).then(() => left++);
    await compaction.append({ ...heads("f"), kind: "announcement" });
    await settled();
    expect([left, lines.length]).toEqual([0, 1]);
    clock.advance(COMPACTION_DEFAULTS.mergeMs);
    await settled();
    expect(left).toBe(2);
    expect(lines[1]).toMatchObject({ kind: "heads", to: ["a", "b"], bytes: 20, messages: 2 });
    expect(lines[1]?.content).toMatch(/^[0-9a-f]{64}$/);
  });

  test("do not leave where their line cannot be written", async () => {
    for (let n = 0; n < COMPACTION_DEFAULTS.burst; n++) await compaction.append(heads(String(n)));
    write = () => Promise.reject(new Error("no space"));
    const waiting = compaction.append(heads("f"));
    clock.advance(COMPACTION_DEFAULTS.mergeMs);
    await expect(waiting).rejects.toThrow("no space");
  });
});
