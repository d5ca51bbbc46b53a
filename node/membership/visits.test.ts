/** The places of who is no member: who keeps one, and who makes room. */
import { beforeEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { MemberStatus } from "../interface/membership.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { MEMBERSHIP_DEFAULTS } from "./membership-limits.ts";
import { Visits } from "./visits.ts";

const { visitorsMax, visitorsPerOriginMax, visitSilenceMs, visitMs } = MEMBERSHIP_DEFAULTS;

let clock: VirtualClock;
let visits: Visits;
let out: PeerId[];
let members: Set<PeerId>;
let candidates: Map<PeerId, string>;
beforeEach(() => {
  clock = createVirtualClock(0);
  out = [];
  [members, candidates] = [new Set(), new Map()];
  visits = new Visits(
    {
      clock,
      statusOf: (peer): MemberStatus => (members.has(peer) ? "member" : "stranger"),
      inviteOf: (peer) => candidates.get(peer),
      hangUp: (peer) => void out.push(peer),
      dismiss: () => {},
    },
    MEMBERSHIP_DEFAULTS,
  );
});

const peer = (name: string): PeerId => name as PeerId;
/** Whether the gate lets it in; it is connected then. */
function comes(name: string, origin: string): boolean {
  const isAdmitted = visits.admits(peer(name), origin);
  if (isAdmitted) visits.begin(peer(name), origin);
  return isAdmitted;
}
/** Whether each of so many fresh keys of one address gets in. */
const keysOf = (origin: string, count: number): boolean[] =>
  Array.from({ length: count }, (_, key) => comes(`${origin} ${key}`, origin));
/** As many visitors as there are places, of as few addresses as it takes. */
function fill(): string[] {
  const origins = Array.from({ length: visitorsMax / visitorsPerOriginMax }, (_, host) => `192.0.2.${host}`);
  for (const origin of origins) expect(keysOf(origin, visitorsPerOriginMax)).not.toContain(false);
  return origins;
}

describe("a visitor", () => {
  it("that shows nothing is shown out after two seconds; one that shows an invite stays until its time is over", () => {
    for (const [host, name] of ["silent", "shows", "candidate", "member"].entries()) comes(name, `192.0.2.${host}`);
    clock.advance(visitSilenceMs - 1);
    visits.show(peer("shows"), "an invite");
    candidates.set(peer("candidate"), "of another");
    members.add(peer("member"));
    expect(out).toEqual([]);
    clock.advance(1);
    expect(visitSilenceMs).toBe(2_000);
    expect(out).toEqual(["silent"]);
    clock.advance(visitMs - visitSilenceMs - 1);
    expect(out).toEqual(["silent"]);
    clock.advance(1);
    expect(out).toEqual(["silent", "shows", "candidate"]);
  });

  it("that shows a certificate of which nothing was heard has the time again for what it rests on, once", () => {
    comes("lingers", "192.0.2.1");
    clock.advance(visitSilenceMs - 1);
    visits.linger(peer("lingers"));
    clock.advance(visitSilenceMs - 1);
    visits.linger(peer("lingers"));
    expect(out).toEqual([]);
    clock.advance(1);
    expect(out).toEqual(["lingers"]);
  });
});

describe("the places of visitors", () => {
  it("are a few of one address, whatever number of keys it shows, and the rest is for others", () => {
    const taken = keysOf("192.0.2.1", 40).filter((isIn) => isIn).length;
    expect(taken).toBe(visitorsPerOriginMax);
    expect(comes("newcomer", "198.51.100.1")).toBe(true);
    expect(out).toEqual([]);
  });

  it("when all are taken, one who shows nothing goes for a newcomer from elsewhere, of the address that has most", () => {
    const [first] = fill();
    expect(comes("newcomer", "198.51.100.1")).toBe(true);
    expect(out).toEqual([`${first} 0`]);
    // Who has as many as the others pushes nobody out.
    expect(comes(`${first} again`, first!)).toBe(false);
  });

  it("are kept by who has shown something", () => {
    const origins = fill();
    for (const origin of origins) {
      for (let key = 0; key < visitorsPerOriginMax; key++)
        visits.show(peer(`${origin} ${key}`), `invite ${origin} ${key}`);
    }
    expect(comes("newcomer", "198.51.100.1")).toBe(false);
    expect(out).toEqual([]);
  });

  it("are kept by a few holders of one invite; the others make room when all places are taken", () => {
    const origins = fill();
    for (const origin of origins) {
      for (let key = 0; key < visitorsPerOriginMax; key++) {
        if (key % 2 === 0) visits.show(peer(`${origin} ${key}`), "one invite");
        else candidates.set(peer(`${origin} ${key}`), "one invite");
      }
    }
    const newcomers = Array.from({ length: 4 }, (_, host) => comes(`newcomer ${host}`, `198.51.100.${host}`));
    expect(newcomers).toEqual([true, true, true, true]);
    expect(out.every((name) => !name.startsWith(`${origins[0]} `))).toBe(true);
  });

  it("are free two seconds after who came for an answer has it", () => {
    comes("candidate", "192.0.2.1");
    visits.show(peer("candidate"), "an invite");
    clock.advance(visitSilenceMs / 2);
    visits.finish(peer("candidate"));
    clock.advance(visitSilenceMs - 1);
    expect(out).toEqual([]);
    clock.advance(1);
    expect(out).toEqual(["candidate"]);
  });

  it("are no more when the gate has let several in at once: the last ones go again", () => {
    fill();
    const newcomers = Array.from({ length: 8 }, (_, host) => [`newcomer ${host}`, `198.51.100.${host}`] as const);
    for (const [name, origin] of newcomers) expect(visits.admits(peer(name), origin)).toBe(true);
    for (const [name, origin] of newcomers) visits.begin(peer(name), origin);
    expect(out).toHaveLength(newcomers.length);
    expect(new Set(out).size).toBe(newcomers.length);
  });

  it("do not count members, of whom there are as many as come", () => {
    fill();
    members.add(peer("member"));
    expect(comes("member", "192.0.2.0")).toBe(true);
    expect(out).toEqual([]);
  });
});
