import { describe, expect, it } from "vitest";
import type { StoreChange } from "../interface/store.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { DECLINED_MAX, DECLINED_SECONDS, Decisions } from "./decisions.ts";

function fixture() {
  const store = createMemoryStore();
  const clock = createVirtualClock(1_800_000_000_000);
  const writes: Promise<void>[] = [];
  const save = (changes: readonly StoreChange[]): void => void writes.push(store.batch(changes));
  const open = async () => {
    await Promise.all(writes);
    const decisions = new Decisions({ store, clock, save, entryCount: () => 0 });
    await decisions.load();
    return decisions;
  };
  const keys = async (): Promise<readonly string[]> => {
    await Promise.all(writes);
    const found: string[] = [];
    for await (const [key] of store.entries("roster/")) found.push(key);
    return found;
  };
  return { clock, open, keys };
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
    clock.advance(DECLINED_SECONDS * 1000);
    expect(decisions.hasDeclined("a")).toBe(true);
    clock.advance(1000);
    expect(decisions.hasDeclined("a")).toBe(false);
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
