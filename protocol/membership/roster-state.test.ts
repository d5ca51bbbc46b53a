/** What a role may do, and what a roster says of a peer at a time. */
import { describe, expect, test } from "vitest";
import type { MessageKind } from "../envelope.ts";
import { LIMITS } from "../limits.ts";
import { ALICE, BOB, SELF } from "../vectors/example-network.ts";
import { CAROL, DAVE, DAY, EXAMPLE_GENESIS, NOW, termsOf } from "../vectors/example-roster.ts";
import type { EntryId } from "./entry.ts";
import {
  mayFetch,
  mayForward,
  mayGovern,
  maySend,
  ROLE_NUMBERS,
  ROLES,
  ROLES_BY_RIGHTS,
  roleOfNumber,
} from "./roles.ts";
import { RosterLog } from "./roster-log.ts";
import { adminsOf, isMember, judgeMembership, keepsEarlierUpdates, type RosterState, roleOf } from "./roster-state.ts";

const KINDS: readonly MessageKind[] = ["update", "announcement", "sketch"];
const found = new RosterLog(EXAMPLE_GENESIS).state();
/** Dave is a member for thirty days; Frank was removed. */
const FRANK = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN" as typeof DAVE.peer;
const removal = { entry: "ab".repeat(32) as EntryId, successor: undefined } as const;
const dave = { ...termsOf(DAVE.peer, "admin"), grant: undefined };
const state = (over: Partial<RosterState> = {}): RosterState => ({
  ...found,
  members: new Map([...found.members, [DAVE.peer, dave]]),
  removed: new Map([[FRANK, { ...removal, reason: "misconduct" }]]),
  ...over,
});
const { clockSkewSeconds: SKEW } = LIMITS;
const END = NOW + 30 * DAY;

describe("a role", () => {
  test("has its rights, its number and its place among the others; who is no member has none", () => {
    const rights = [...ROLES, undefined].map((role) => [
      role,
      KINDS.map((kind) => maySend(role, kind)),
      ...[mayFetch, mayForward, mayGovern].map((may) => may(role)),
    ]);
    expect(rights).toEqual([
      ["trainer", [true, true, true], true, true, false],
      ["observer", [false, false, false], true, true, false],
      ["relay", [false, false, false], false, true, false],
      ["admin", [true, true, true], true, true, true],
      [undefined, [false, false, false], false, false, false],
    ]);
    expect(ROLES.map((role) => ROLE_NUMBERS[role])).toEqual([1, 2, 3, 4]);
    expect([0, 1, 2, 3, 4, 5].map(roleOfNumber)).toEqual([undefined, ...ROLES, undefined]);
    expect(ROLES_BY_RIGHTS).toEqual(["relay", "observer", "trainer", "admin"]);
  });
});

describe("a roster says of a peer", () => {
  test("its role within its time, clocks being apart a little, and nothing outside of it or where it is barred", () => {
    const at = (seconds: number, over: Partial<RosterState> = {}) => roleOf(state(over), DAVE.peer, seconds);
    const times = [NOW - SKEW - 1, NOW - SKEW, NOW, END + SKEW, END + SKEW + 1];
    expect(times.map((seconds) => at(seconds))).toEqual([undefined, "admin", "admin", "admin", undefined]);
    expect(times.map((seconds) => isMember(state(), DAVE.peer, seconds))).toEqual([false, true, true, true, false]);
    expect(at(NOW, { barred: new Set([DAVE.peer]) })).toBeUndefined();
    expect([roleOf(state(), FRANK, NOW), isMember(state(), FRANK, NOW)]).toEqual([undefined, false]);
  });

  test("whether it is an admin then, all of them rising", () => {
    const founders = [SELF, ALICE, BOB].map(({ peer }) => peer);
    expect(adminsOf(state(), NOW)).toEqual([...founders, DAVE.peer].sort());
    expect(adminsOf(state(), END + SKEW + 1)).toEqual([...founders].sort());
    expect(adminsOf(state({ barred: new Set([ALICE.peer]) }), NOW)).not.toContain(ALICE.peer);
    expect(adminsOf(state(), NOW)).not.toContain(CAROL.peer);
  });

  test("what a judge of messages asks", () => {
    const observer = { ...termsOf(DAVE.peer, "observer"), grant: undefined };
    const judge = judgeMembership(state({ members: new Map([...found.members, [DAVE.peer, observer]]) }), NOW);
    expect([CAROL.peer, DAVE.peer, FRANK].map((peer) => judge.isMember(peer))).toEqual([true, true, false]);
    expect([CAROL.peer, DAVE.peer, FRANK].map((peer) => judge.maySend(peer, "update"))).toEqual([true, false, false]);
    expect(judgeMembership(state(), END + SKEW + 1).isMember(DAVE.peer)).toBe(false);
  });

  test("whether its earlier updates are used: not where it is barred, nor once removed where the policy drops them", () => {
    const keeps = (reason: "misconduct" | "rotated" | undefined, earlierUpdates: "keep" | "drop", over = {}) =>
      keepsEarlierUpdates(
        state({
          ...{ removed: new Map(reason && [[FRANK, { ...removal, reason }]]), ...over },
          policy: { ...found.policy, earlierUpdates },
        }),
        FRANK,
      );
    expect([keeps("misconduct", "keep"), keeps("misconduct", "drop"), keeps("rotated", "drop")]).toEqual([
      true,
      false,
      true,
    ]);
    expect([keeps(undefined, "drop"), keeps(undefined, "keep", { barred: new Set([FRANK]) })]).toEqual([true, false]);
  });
});
