import { expect, test } from "vitest";
import { peerIdFromPublicKey } from "../../protocol/peer-id.ts";
import type { CompanyEvent } from "../interface/company-event.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { Company } from "./company.ts";

const [ALICE, BOB] = [1, 2].map((byte) => peerIdFromPublicKey(new Uint8Array(32).fill(byte)));

function company() {
  const events: CompanyEvent[] = [];
  const clock = createVirtualClock();
  return {
    clock,
    events,
    company: new Company({
      clock,
      addressCount: () => 2,
      isGiven: (peer) => peer === ALICE,
      onEvent: (event) => events.push(event),
    }),
  };
}

test("the first neighbour, the last one and one again are said, nothing between", () => {
  const { company: one, events } = company();
  one.begin();
  one.join(ALICE!);
  one.join(BOB!);
  one.leave(BOB!);
  one.leave(ALICE!);
  one.join(BOB!);
  one.stop();
  one.leave(BOB!);
  expect(events.map((event) => event.type === "company" && [event.change, event.peer])).toEqual([
    ["found", ALICE],
    ["lost", ALICE],
    ["back", BOB],
  ]);
});

test("that nobody is there is said at growing intervals, with the time since when", () => {
  const { company: one, events, clock } = company();
  const startedAt = new Date(clock.now()).toISOString();
  one.begin();
  clock.advance(131_000);
  expect(events).toEqual(Array.from({ length: 3 }, () => ({ type: "alone", since: startedAt, addresses: 2 })));
  one.join(ALICE!);
  clock.advance(10_000_000);
  expect(events).toHaveLength(4);
});

test("an address is said once for each reason, then at growing intervals", () => {
  const { company: one, events, clock } = company();
  const address = `/ip4/127.0.0.1/tcp/1/p2p/${ALICE}`;
  const fail = (reason: string, isGiven = true) => one.fail({ address, isGiven, reason });
  for (let i = 0; i < 5; i++) fail("refused");
  fail("no answer");
  clock.advance(60_000);
  fail("no answer");
  clock.advance(60_000);
  fail("no answer");
  expect(events).toEqual([
    { type: "unreachable", address, reason: "refused", failures: 1 },
    { type: "unreachable", address, reason: "no answer", failures: 6 },
    { type: "unreachable", address, reason: "no answer", failures: 7 },
  ]);
  one.join(BOB!);
  fail("of a peer that was met before", false);
  expect(events.filter(({ type }) => type === "unreachable")).toHaveLength(3);
});

test("who does not become a neighbour is told of once for each reason, not where its address was given, and a few in a minute", () => {
  const { company: one, events, clock } = company();
  for (let i = 0; i < 3; i++) one.decline(BOB!, "it is in another network");
  one.decline(BOB!, "it has no room");
  one.decline(ALICE!, "it has no room");
  expect(one.refusalOf(ALICE!)).toBe("it has no room");
  clock.advance(60_000);
  one.decline(BOB!, "it has no room");
  expect(events).toEqual([
    { type: "declined", peer: BOB, reason: "it is in another network", times: 1 },
    { type: "declined", peer: BOB, reason: "it has no room", times: 4 },
    { type: "declined", peer: BOB, reason: "it has no room", times: 5 },
  ]);
  one.join(BOB!);
  expect(one.refusalOf(BOB!)).toBeUndefined();
  one.decline(BOB!, "it is no member any more");
  clock.advance(60_000);
  const strangers = Array.from({ length: 2_000 }, (_, i) =>
    peerIdFromPublicKey(Uint8Array.from({ length: 32 }, (_, j) => (j === 0 ? i % 256 : j === 1 ? i >> 8 : 3))),
  );
  for (const stranger of strangers) one.decline(stranger, "it is in another network");
  expect(events).toHaveLength(10);
});
