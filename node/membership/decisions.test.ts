import { describe, expect, it } from "vitest";
import type { StoreChange } from "../interface/store.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { DECISION_SECONDS, DECLINED_MAX, Decisions } from "./decisions.ts";

function fixture() {
  const store = createMemoryStore();
  const clock = createVirtualClock(1_800_000_000_000);
  const writes: Promise<void>[] = [];
  const save = (changes: readonly StoreChange[]): void => void writes.push(store.batch(changes));
  const open = async () => {
    await Promise.all(writes);
    const decisions = new Decisions({ store, clock, save, entryCount: () => 7 });
    await decisions.load();
    return decisions;
  };
  const keys = async (): Promise<readonly string[]> => {
    await Promise.all(writes);
    const found: string[] = [];
    for await (const [key] of store.entries("roster/")) found.push(key);
    return found;
  };
  return { store, clock, open, keys };
}

describe("decisions", () => {
  it("replace one another, and are read again", async () => {
    const { open, keys } = fixture();
    const first = await open();
    first.agree("a");
    first.decline("a");
    first.decline("b");
    first.agree("b");
    first.decline("c");
    first.forget("c");
    const again = await open();
    expect([again.hasAgreed("a"), again.hasDeclined("a")]).toEqual([false, true]);
    expect([again.hasAgreed("b"), again.hasDeclined("b")]).toEqual([true, false]);
    expect(await keys()).toEqual(["roster/agreed/b", "roster/declined/a"]);
  });

  it("against something hold until their time is over, and are then dropped from the disk", async () => {
    const { clock, open, keys } = fixture();
    const decisions = await open();
    decisions.decline("a");
    clock.advance(DECISION_SECONDS * 1000);
    expect(decisions.hasDeclined("a")).toBe(true);
    clock.advance(1000);
    expect(decisions.hasDeclined("a")).toBe(false);
    await open();
    expect(await keys()).toEqual([]);
  });

  it("for something hold until their time is over, too, and are then dropped from the disk", async () => {
    const { clock, open, keys } = fixture();
    const decisions = await open();
    decisions.agree("a", { isMeant: true });
    decisions.agree("b");
    clock.advance(DECISION_SECONDS * 1000);
    const again = await open();
    const of = (one: Decisions) => ["a", "b"].map((id) => [one.hasAgreed(id), one.isMeant(id), one.entriesBefore(id)]);
    const agreed = [
      [true, true, 7],
      [true, false, 7],
    ];
    expect([of(decisions), of(again)]).toEqual([agreed, agreed]);
    clock.advance(1000);
    const over = [false, false, Number.POSITIVE_INFINITY];
    expect([of(decisions), of(again)]).toEqual([
      [over, over],
      [over, over],
    ]);
    await open();
    expect(await keys()).toEqual([]);
  });

  it("of an earlier version, which wrote no time, hold from now on", async () => {
    const { store, clock, open, keys } = fixture();
    const [a, b] = ["a", "b"].map((id) => `roster/agreed/${id}`) as [string, string];
    await store.batch([
      { put: a, value: new Uint8Array(0) },
      { put: b, value: new Uint8Array(1) },
    ]);
    const decisions = await open();
    expect(["a", "b"].map((id) => [decisions.hasAgreed(id), decisions.isMeant(id)])).toEqual([
      [true, false],
      [true, true],
    ]);
    clock.advance((DECISION_SECONDS + 1) * 1000);
    await open();
    expect(await keys()).toEqual([]);
  });

  it("against so many things are kept, the newest", async () => {
    const { clock, open, keys } = fixture();
    const decisions = await open();
    for (let i = 0; i <= DECLINED_MAX; i++) {
      clock.advance(1000);
      decisions.decline(`${i}`);
    }
    const again = await open();
    for (const one of [decisions, again]) {
      expect(one.hasDeclined("0")).toBe(false);
      expect(one.hasDeclined("1")).toBe(true);
      expect(one.hasDeclined(`${DECLINED_MAX}`)).toBe(true);
    }
    expect((await keys()).length).toBe(DECLINED_MAX);
  });
});
