import { afterEach, describe, expect, it } from "vitest";
import { encodeEntry, type Statement } from "../../protocol/membership/entry.ts";
import { isMember } from "../../protocol/membership/roster-state.ts";
import { POLICY_DEFAULTS } from "../../protocol/membership/settings.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { until } from "../system/network/transport.suite.ts";
import { type ClockSources, clocksBehind } from "./clocks-behind.ts";
import {
  ADMINS,
  actAt,
  admit,
  type Consortium,
  connect,
  createConsortium,
  DAY,
  entryOf,
  genesisWith,
  know,
  type Member,
  NOW,
  revoke,
} from "./membership.suite.ts";
import type { RosterAction, RosterDeskDependencies } from "./roster-desk.ts";

let net: Consortium;
afterEach(() => net.stop());
const [first, second, third] = ADMINS as [(typeof ADMINS)[0], (typeof ADMINS)[0], (typeof ADMINS)[0]];
const found = (threshold: number): Consortium => {
  net = createConsortium(genesisWith({}, threshold));
  return net;
};
const act = (member: Member, action: RosterAction, others: Partial<RosterDeskDependencies> = {}) =>
  actAt(net, member, action, others);
const terms = { subject: second.peer, notBefore: NOW, notAfter: NOW + 40 * DAY } as const;
const refusedAsEnd = { code: "NOT_ALLOWED", facts: { problem: "quorum-ends" } };

describe("an act that leaves a roster without a working quorum", () => {
  const acts: readonly (readonly [string, Statement | string])[] = [
    ["a removal", revoke(second.peer)],
    ["an expiry", { kind: "expire", role: "admin", ...terms }],
    ["a demotion", { kind: "promote", role: "trainer", ...terms }],
    ["a membership without end that becomes one with an end", { kind: "promote", role: "admin", ...terms }],
    ["an admission of an admin as something else", admit(second.peer, "observer")],
    ["a rotation of a founder's key", "9"],
  ];
  it.each(acts)("is refused, and done where it is meant: %s", async (_, what) => {
    found(3);
    const a = await net.up({ seed: 1 });
    const action: RosterAction =
      typeof what === "string" ? { kind: "rotate", keyFile: what } : { kind: "propose", statement: what };
    await expect(act(a, action)).rejects.toMatchObject(refusedAsEnd);
    expect(a.membership.proposals.pending()).toEqual([]);
    expect(await act(a, { ...action, isMeant: true })).toMatchObject({ kind: "motion" });
    // Whoever approves it is asked as well, and sees why.
    const b = await net.up({ seed: 2 });
    await connect(a, b);
    await until(() => b.membership.proposals.pending().length === 1);
    const [motion] = b.membership.proposals.pending();
    expect(motion!.endsQuorum).toMatchObject({ threshold: 3 });
    await expect(act(b, { kind: "approve", id: motion!.id })).rejects.toMatchObject(refusedAsEnd);
    expect(await act(b, { kind: "approve", id: motion!.id, isMeant: true })).toMatchObject({ kind: "motion" });
  });

  it("is a threshold that the admins who stay do not reach, too", async () => {
    found(2);
    const a = await net.up({ seed: 1 });
    know(a, entryOf(net.genesis, { kind: "promote", role: "admin", ...terms, subject: third.peer }));
    const policy = { ...POLICY_DEFAULTS, threshold: 3 };
    await expect(act(a, { kind: "propose", statement: { kind: "policy", policy } })).rejects.toMatchObject({
      facts: { problem: "quorum-ends", endsAt: NOW + 40 * DAY + 1 },
    });
    // Those whose time is over are no admins.
    net.clock.advance(41 * DAY * 1000);
    await expect(act(a, { kind: "propose", statement: { kind: "policy", policy } })).rejects.toThrow("by 2 admins");
  });

  it("is nothing else: acts that leave enough admins need nobody to say that they are meant", async () => {
    found(2);
    const a = await net.up({ seed: 1 });
    for (const statement of [revoke(third.peer), revoke(signerOf(4).peer), admit(signerOf(5).peer, "admin")]) {
      expect(await act(a, { kind: "propose", statement })).toMatchObject({ kind: "motion" });
    }
  });

  it("is not signed by who agreed to it before another act made it one", async () => {
    found(2);
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    await act(a, { kind: "propose", statement: revoke(second.peer) });
    know(a, entryOf(net.genesis, revoke(third.peer)));
    await until(() => b.membership.proposals.pending().length === 1);
    know(b, ...a.membership.roster.log.entries().filter(({ id }) => b.membership.roster.log.get(id) === undefined));
    const { id } = b.membership.proposals.pending()[0]!;
    await act(b, { kind: "approve", id, isMeant: true });
    for (let i = 0; i < 100; i++) {
      net.clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const isHere = () => isMember(a.membership.roster.log.state(), second.peer, Math.floor(net.clock.now() / 1000));
    expect(isHere()).toBe(true);
    expect(a.said.filter((text) => text.includes("is not signed any more"))).toHaveLength(1);
    await act(a, { kind: "approve", id, isMeant: true });
    await until(() => {
      net.clock.advance(1000);
      return !isHere();
    });
  });
});

describe("acts that wait at the same time", () => {
  const time = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) {
      net.clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  it("leave enough admins together: what is agreed to and not decided counts as if it were", async () => {
    found(2);
    const a = await net.up({ seed: 1 });
    await act(a, { kind: "propose", statement: revoke(third.peer) });
    for (const statement of [
      revoke(second.peer),
      { kind: "promote", role: "trainer", ...terms } as const,
      { kind: "policy", policy: { ...POLICY_DEFAULTS, threshold: 3 } } as const,
    ]) {
      const refused = act(a, { kind: "propose", statement });
      await expect(refused).rejects.toMatchObject({ ...refusedAsEnd, message: expect.stringContaining("still waits") });
    }
    expect(await act(a, { kind: "propose", statement: revoke(second.peer), isMeant: true })).toMatchObject({
      kind: "motion",
    });
  });

  it("undo each other nowhere: of two admins who rotate their keys with each other's signatures one goes first", async () => {
    found(2);
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    const rotations = [
      await act(a, { kind: "rotate", keyFile: "8" }),
      await act(b, { kind: "rotate", keyFile: "9" }),
    ].flatMap((answer) => (answer.kind === "motion" ? [answer.motion.id] : []));
    await until(() => [a, b].every(({ membership }) => membership.proposals.pending().length === 2));
    // Neither hears of what the other one signs next.
    net.hub.cut(a.signer.peer, b.signer.peer);
    const outcomes = await Promise.allSettled([
      act(a, { kind: "approve", id: rotations[1]!, isMeant: true }),
      act(b, { kind: "approve", id: rotations[0]!, isMeant: true }),
    ]);
    const refused = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    expect(refused).toMatchObject([{ code: "NOT_ALLOWED", facts: { problem: "act-waits" } }]);
    net.hub.mend(a.signer.peer, b.signer.peer);
    await connect(a, b).catch(() => {});
    await time();
    const goesFirst = first.peer < second.peer ? b : a;
    const { quorum } = (await act(goesFirst, { kind: "members" })) as { quorum: { admins: number } };
    expect(quorum.admins).toBe(3);
  });

  it("keep a removal from nobody, and say where it would undo a rotation that is signed", async () => {
    found(2);
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    await act(a, { kind: "rotate", keyFile: "8" });
    // Its signature is needed for the new key: without it neither key would be an admin's, and one admin is not enough.
    await expect(act(a, { kind: "propose", statement: revoke(second.peer) })).rejects.toMatchObject(refusedAsEnd);
    const meant = await act(a, { kind: "propose", statement: revoke(second.peer), isMeant: true });
    expect(meant).toMatchObject({ kind: "motion" });
  });

  it("are all counted where a policy comes to bar those who signed two things before", async () => {
    net = createConsortium(genesisWith({ equivocation: "report" }, 3));
    const a = await net.up({ seed: 1 });
    const policy = { ...POLICY_DEFAULTS, threshold: 3, equivocation: "bar" as const };
    const bar: RosterAction = { kind: "propose", statement: { kind: "policy", policy } };
    expect(await act(a, bar)).toMatchObject({ kind: "motion" });
    a.membership.roster.log.noteEquivocation(third.peer);
    await expect(act(a, bar)).rejects.toMatchObject(refusedAsEnd);
  });
});

describe("what is about to end", () => {
  it("is told a month, a week and a day before, and when it is over: the quorum, and one's own membership", async () => {
    found(3);
    const a = await net.up({ seed: 3 });
    const promote: Statement = { kind: "promote", role: "admin", ...terms, subject: third.peer };
    know(a, entryOf(net.genesis, promote, { by: ADMINS }));
    await new Promise((resolve) => setImmediate(resolve));
    const told = () => a.events.flatMap((event) => (event.type === "ending" ? [[event.what, event.at] as const] : []));
    net.clock.advance(5 * DAY * 1000);
    expect(told()).toEqual([]);
    expect(a.membership.endings()).toEqual([]);
    const [own, quorum] = [
      ["membership", terms.notAfter],
      ["quorum", terms.notAfter + 1],
    ];
    for (const [days, times] of [
      [11, 1],
      [33.5, 2],
      [39.5, 3],
      [41, 4],
    ] as const) {
      net.clock.advance((NOW + days * DAY) * 1000 - net.clock.now());
      expect(told().filter(([what]) => what === "membership")).toEqual(Array(times).fill(own));
      expect(
        told()
          .filter(([what]) => what === "quorum")
          .slice(0, 3),
      ).toEqual(Array(Math.min(times, 3)).fill(quorum));
    }
    expect(told().filter(([what]) => what === "quorum")).toHaveLength(4);
    expect((await act(a, { kind: "members" })) as object).toMatchObject({ quorum: { threshold: 3, admins: 2 } });
  });

  it("is told no more when it was made longer", async () => {
    found(2);
    const a = await net.up({ seed: 3 });
    const short: Statement = { kind: "promote", role: "admin", ...terms, subject: third.peer, notAfter: NOW + DAY };
    const entry = entryOf(net.genesis, short);
    know(a, entry);
    await until(() => a.events.some(({ type }) => type === "ending"));
    know(a, entryOf(net.genesis, { ...short, notAfter: NOW + 80 * DAY }, { parents: [entry.id] }));
    await until(() => a.events.some((event) => event.type === "ending" && event.at === null));
    expect(a.membership.endings()).toEqual([]);
  });
});

describe("clocks that are apart", () => {
  it("are told of where a signature is put off, once, and on nobody's word but the signer's", async () => {
    found(2);
    const a = await net.up({ seed: 1 });
    const early = (sequence: number) =>
      entryOf(net.genesis, revoke(signerOf(4).peer), { by: [second, third], issuedAt: NOW + 1200, sequence });
    const forged = early(1);
    const wrong = { ...forged, signatures: forged.signatures.map((one) => one.map((byte) => byte ^ 1)) };
    const ofClocks = () => a.events.filter(({ type }) => type === "clock");
    expect(a.membership.takeMessage({ kind: "draft", body: encodeEntry(wrong) }).code).toBe("EARLY");
    expect(ofClocks()).toEqual([]);
    expect(a.membership.takeMessage({ kind: "draft", body: encodeEntry(early(2)) }).code).toBe("EARLY");
    expect(a.membership.takeMessage({ kind: "entry", body: encodeEntry(early(3)) }).code).toBe("EARLY");
    expect(ofClocks()).toEqual([{ type: "clock", peer: second.peer, aheadSeconds: 1200 }]);
  });

  it("keep an act from being made whose date the others will not take", async () => {
    found(1);
    const a = await net.up({ seed: 1 });
    const clocksBehind = async () => [1_200_000, 1_200_000, -5];
    const problem = { code: "NOT_ALLOWED", facts: { problem: "clock-ahead", seconds: 1200 } };
    const statement = revoke(signerOf(4).peer);
    await expect(act(a, { kind: "propose", statement }, { clocksBehind })).rejects.toMatchObject(problem);
    await expect(act(a, { kind: "rotate", keyFile: "9" }, { clocksBehind })).rejects.toMatchObject(problem);
    // One that is behind would count admins whose time is over.
    const behind = { clocksBehind: async () => [-5, -1_200_000, -1_300_000] };
    const refused = { code: "NOT_ALLOWED", facts: { problem: "clock-behind", seconds: 1200 } };
    await expect(act(a, { kind: "propose", statement }, behind)).rejects.toMatchObject(refused);
    for (const some of [[-9_000_000, -5], [9_000_000, 5], [-300_999]]) {
      await act(a, { kind: "propose", statement: admit(signerOf(5).peer) }, { clocksBehind: async () => some });
    }
    expect(await act(a, { kind: "propose", statement: admit(signerOf(6).peer), isMeant: true }, behind)).toMatchObject({
      isDecided: true,
    });
    // One neighbour with a wrong clock of its own is no reason.
    const mostAgree = { clocksBehind: async () => [9_000_000, 200_000, -5] };
    expect(await act(a, { kind: "propose", statement }, mostAgree)).toMatchObject({ isDecided: true });
    expect(first.peer).toBe(a.signer.peer);
  });

  it("are told by admins, and else by any member who tells the truth; liars keep nobody from removing them", async () => {
    const [admin, liar, other, honest] = [1, 2, 3, 4].map((seed) => signerOf(seed).peer) as [
      PeerId,
      PeerId,
      PeerId,
      PeerId,
    ];
    const ahead = new Map([
      [liar, 9_000_000],
      [other, 9_000_000],
      [honest, 10],
      [admin, 400],
    ]);
    const sources = (present: readonly PeerId[], admins: readonly PeerId[]): ClockSources => ({
      present: () => present,
      roleOf: (peer) => (admins.includes(peer) ? "admin" : "trainer"),
      aheadOf: async (peer) => ahead.get(peer) ?? Promise.reject(new Error("it does not say")),
    });
    const asks = (present: readonly PeerId[], admins: readonly PeerId[], about?: PeerId) =>
      clocksBehind(sources(present, admins), { about });
    expect(await asks([liar, other, honest, admin], [admin])).toEqual([400]);
    expect(await asks([liar, other, honest], [])).toEqual([10]);
    ahead.set(liar, -9_000_000);
    expect(await asks([liar, other, honest], [])).toEqual([10]);
    ahead.set(liar, 9_000_000);
    expect(await asks([liar, admin], [admin, liar], liar)).toEqual([400]);
    expect(await asks([signerOf(9).peer], [])).toEqual([]);
  });
});
