/** How often holes are punched on others' word. */
import { expect, it } from "vitest";
import { PunchBudget, type PunchLimits } from "./punch-budget.ts";

const LIMITS: PunchLimits = {
  windowMs: 1_000,
  perPeerMax: 2,
  guestsMax: 3,
  peersMax: 4,
  underWayMax: 2,
  guestsUnderWayMax: 1,
  openMax: 5,
};

function budget() {
  const clock = { now: 0 };
  const made = new PunchBudget(LIMITS, () => clock.now);
  const tried = (peer: string, standing: "known" | "guest" | "nobody" = "known"): boolean => {
    const may = made.begin(peer, standing, 0);
    if (may) made.end(peer);
    return may;
  };
  return { clock, made, tried };
}

it("has so many tries of one peer in a while, and again after it", () => {
  const { clock, tried } = budget();
  expect([tried("a"), tried("a"), tried("a"), tried("b")]).toEqual([true, true, false, true]);
  clock.now = 1_001;
  expect(tried("a")).toBe(true);
});

it("has a share for all guests together, whose keys are free, and none for who is not admitted", () => {
  const { tried } = budget();
  expect(["x", "y", "z", "w"].map((name) => tried(name, "guest"))).toEqual([true, true, true, false]);
  expect([tried("a"), tried("b", "nobody")]).toEqual([true, false]);
});

it("has one try with a peer at a time, few with all, and none while many connections lead through holes", () => {
  const { made } = budget();
  expect([made.begin("a", "known", 0), made.begin("a", "known", 0)]).toEqual([true, false]);
  expect([made.begin("x", "guest", 0), made.begin("b", "known", 0)]).toEqual([false, true]);
  expect(made.begin("c", "known", 0)).toBe(false);
  made.end("a");
  expect([made.begin("c", "known", 5), made.begin("c", "known", 4)]).toEqual([false, true]);
  for (const peer of ["b", "c"]) made.end(peer);
  // Of the connections, guests take no more than half.
  expect([made.begin("y", "guest", 2), made.begin("z", "guest", 1)]).toEqual([false, true]);
});

it("remembers so many peers", () => {
  const { clock, tried } = budget();
  expect(["a", "b", "c", "d", "e"].map((name) => tried(name))).toEqual([true, true, true, true, false]);
  clock.now = 1_001;
  expect(tried("e")).toBe(true);
});
