import { describe, expect, it } from "vitest";
import type { PeerId } from "../../protocol/peer-id.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { signerOf } from "./exchange.suite.ts";
import { RateLimiter } from "./rate-limiter.ts";

const [a, b, c] = [1, 2, 3].map((seed) => signerOf(seed).peer) as [PeerId, PeerId, PeerId];
const limits = { burst: 3, perPeriod: 2, periodMs: 1000, peersMax: 2 };

describe("a rate limiter", () => {
  it("allows a burst, then as much as comes back with time, and no more than a burst after a long pause", () => {
    const clock = createVirtualClock(0);
    const limiter = new RateLimiter({ clock }, limits);
    const takes = (count: number): readonly boolean[] => Array.from({ length: count }, () => limiter.take(a));
    expect(takes(4)).toEqual([true, true, true, false]);
    clock.advance(499);
    expect(takes(1)).toEqual([false]);
    clock.advance(501);
    expect(takes(3)).toEqual([true, true, false]);
    clock.advance(1_000_000);
    expect(takes(4)).toEqual([true, true, true, false]);
  });

  it("takes nothing when it is asked only, and says who asks for what too often", () => {
    const limiter = new RateLimiter({ clock: createVirtualClock(0) }, { ...limits, burst: 1 });
    for (let i = 0; i < 5; i++) expect(limiter.permits(a)).toBe(true);
    limiter.require(a, "entries");
    expect(limiter.permits(a)).toBe(false);
    expect(() => limiter.require(a, "entries")).toThrow("asks for entries too often");
    expect(limiter.permits(b)).toBe(true);
  });

  it("counts what was done against the limit from the moment at which it was done", () => {
    const clock = createVirtualClock(0);
    const limiter = new RateLimiter({ clock }, { burst: 1, perPeriod: 1, periodMs: 60_000, peersMax: 2 });
    limiter.drain(a);
    clock.advance(30_000);
    limiter.drain(a);
    clock.advance(59_999);
    expect(limiter.permits(a)).toBe(false);
    clock.advance(1);
    expect(limiter.permits(a)).toBe(true);
  });

  it("remembers so many peers, and forgets first whose turn was longest ago", () => {
    const limiter = new RateLimiter({ clock: createVirtualClock(0) }, limits);
    for (const peer of [a, b, a]) limiter.drain(peer);
    limiter.drain(c);
    expect([a, b, c].map((peer) => limiter.permits(peer))).toEqual([false, true, false]);
  });
});
