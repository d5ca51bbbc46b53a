import { afterEach, describe, expect, it } from "vitest";
import { encodeEntry } from "../../protocol/membership/entry.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { askForAdmission } from "./admission.ts";
import { GRANTS_BY_POLICY_MAX } from "./grants-by-policy.ts";
import {
  actAt,
  admit,
  type Consortium,
  connect,
  createConsortium,
  DAY,
  dial,
  digestOf,
  entryOf,
  genesisWith,
  hasMember,
  inviteBy,
  know,
  type Member,
  NOW,
  pendingOf,
  requestBy,
  revoke,
} from "./membership.suite.ts";
import { fetchGenesis } from "./network-exchange.ts";
import type { RosterAction } from "./roster-desk.ts";

const verify = createNativeVerifier();
let net: Consortium;
afterEach(() => net.stop());
const found = (genesis = genesisWith()): Consortium => {
  net = createConsortium(genesis);
  return net;
};
const dave = signerOf(5);
const act = (member: Member, action: RosterAction) => actAt(net, member, action);
const has = (member: Member, seed: number): boolean => hasMember(net, member, seed);
/** Let virtual time pass until something holds. */
const whileTime = async (condition: () => boolean): Promise<void> => {
  await until(() => {
    net.clock.advance(100);
    return condition();
  });
};

describe("a motion", () => {
  it("becomes an entry when as many admins as are needed have agreed, and not before", async () => {
    found();
    const [a, b, c] = [await net.up({ seed: 1 }), await net.up({ seed: 2 }), await net.up({ seed: 4 })];
    await connect(a, c);
    await connect(c, b);
    await connect(a, b);
    const proposed = await act(a, { kind: "propose", statement: revoke(c.signer.peer) });
    expect(proposed).toMatchObject({ isDecided: false, motion: { approvedBy: [a.signer.peer], threshold: 2 } });
    await until(() => pendingOf(b).length === 1);
    expect(has(b, 4)).toBe(true);
    const [motion] = pendingOf(b);
    await act(b, { kind: "approve", id: motion!.id.slice(0, 8) });
    await until(() => !has(a, 4) && !has(b, 4));
    expect([...pendingOf(a), ...pendingOf(b)]).toEqual([]);
  });

  it("is decided without both admins ever being there at once, over a member and a restart", async () => {
    found();
    const a = await net.up({ seed: 1 });
    await act(a, { kind: "propose", statement: admit(dave.peer) });
    const c = await net.up({ seed: 4 });
    await connect(a, c);
    await until(() => pendingOf(c).length === 1);
    await a.stop();
    const b = await net.up({ seed: 2 });
    await connect(b, c);
    await until(() => pendingOf(b).length === 1);
    await act(b, { kind: "approve", id: pendingOf(b)[0]!.id });
    await until(() => pendingOf(c)[0]?.approvedBy.length === 2);
    await b.stop();
    expect(has(c, 5)).toBe(false);
    // The one who proposed comes back, and signs what it had agreed to.
    const again = await net.up({ seed: 1, store: a.store });
    await connect(again, c);
    await until(() => has(again, 5) && has(c, 5));
  });

  it("is nobody's but an admin's, and one admin is not enough", async () => {
    found();
    const [a, c] = [await net.up({ seed: 1 }), await net.up({ seed: 4 })];
    await connect(a, c);
    await expect(act(c, { kind: "propose", statement: revoke(a.signer.peer) })).rejects.toMatchObject({
      code: "NOT_ALLOWED",
    });
    await expect(act(a, { kind: "propose", statement: revoke(dave.peer) })).rejects.toThrow("is no member");
    await expect(act(a, { kind: "approve", id: "12345678" })).rejects.toMatchObject({
      code: "NOT_ALLOWED",
      facts: { id: "12345678", problem: "motion-unknown" },
    });
    await act(a, { kind: "propose", statement: revoke(c.signer.peer) });
    await whileTime(() => net.clock.now() > (NOW + 40) * 1000);
    expect([has(a, 4), has(c, 4)]).toEqual([true, true]);
  });

  it("gives a membership to another key, which signs with the old one and an admin", async () => {
    found(genesisWith({}, 1));
    const [a, c] = [await net.up({ seed: 1 }), await net.up({ seed: 4 })];
    await connect(a, c);
    await act(c, { kind: "rotate", keyFile: "9" });
    await until(() => pendingOf(a).length === 1);
    await act(a, { kind: "approve", id: pendingOf(a)[0]!.id });
    await until(() => has(a, 9) && !has(a, 4));
  });

  it("that an admin has declined does not come back to it: not from a neighbour, nor anew, nor after a restart", async () => {
    found();
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    await act(a, { kind: "propose", statement: admit(dave.peer) });
    await until(() => pendingOf(b).length === 1);
    const denied = await act(b, { kind: "deny", id: pendingOf(b)[0]!.id });
    expect(denied).toMatchObject({ isDecided: false, motion: { deniedBy: [b.signer.peer] } });
    expect(pendingOf(b)).toEqual([]);
    await b.membership.pull(a.signer.peer);
    await act(a, { kind: "propose", statement: admit(dave.peer) });
    await until(() => b.membership.proposals.messages().length === 2);
    expect(pendingOf(b)).toEqual([]);
    await b.stop();
    const again = await net.up({ seed: 2, store: b.store });
    await connect(again, a);
    await again.membership.pull(a.signer.peer);
    expect(pendingOf(again)).toEqual([]);
    // It is still passed on, and whoever else agrees decides it.
    const c = await net.up({ seed: 3 });
    await connect(c, again);
    await until(() => pendingOf(c).length === 1);
    expect(has(again, 5)).toBe(false);
    await act(c, { kind: "approve", id: pendingOf(c)[0]!.id });
    await whileTime(() => has(a, 5) && has(again, 5));
  });

  it("that an admin has declined is approved by its name after all, and decided", async () => {
    found();
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    await act(a, { kind: "propose", statement: revoke(signerOf(4).peer) });
    await until(() => pendingOf(b).length === 1);
    const { id } = pendingOf(b)[0]!;
    await act(b, { kind: "deny", id });
    expect(await act(b, { kind: "pending" })).toEqual({ kind: "pending", motions: [] });
    expect(await act(b, { kind: "pending", declined: true })).toMatchObject({
      motions: [{ id, isDeclinedHere: true, deniedBy: [b.signer.peer] }],
    });
    await b.stop();
    const again = await net.up({ seed: 2, store: b.store });
    await connect(again, a);
    expect(await act(again, { kind: "approve", id: id.slice(0, 8) })).toMatchObject({
      motion: { id, isDeclinedHere: false, deniedBy: [] },
    });
    await whileTime(() => !has(a, 4) && !has(again, 4));
    expect(await act(again, { kind: "approve", id })).toMatchObject({ isDecided: true });
  });

  it("that an admin has declined is agreed to when it proposes it itself", async () => {
    found();
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    await act(a, { kind: "propose", statement: admit(dave.peer) });
    await until(() => pendingOf(b).length === 1);
    await act(b, { kind: "deny", id: pendingOf(b)[0]!.id });
    await act(b, { kind: "propose", statement: admit(dave.peer) });
    await whileTime(() => has(a, 5) && has(b, 5));
  });
});

describe("an expiry", () => {
  it("ends a membership when as many admins have agreed and the time has come, at every peer", async () => {
    found();
    const [a, b, c] = [await net.up({ seed: 1 }), await net.up({ seed: 2 }), await net.up({ seed: 4 })];
    await connect(a, b);
    await connect(a, c);
    const terms = { subject: c.signer.peer, role: "trainer", notBefore: NOW } as const;
    const longer = { ...terms, role: "admin", notAfter: NOW + DAY } as const;
    await expect(act(a, { kind: "propose", statement: { ...longer, kind: "expire" } })).rejects.toMatchObject({
      message: expect.stringMatching(/ is trainer$/),
      facts: { problem: "role-differs" },
    });
    const proposed = await act(a, { kind: "propose", statement: { ...terms, kind: "expire", notAfter: NOW + DAY } });
    expect(proposed).toMatchObject({ isDecided: false, motion: { approvedBy: [a.signer.peer] } });
    await until(() => pendingOf(b).length === 1);
    await act(b, { kind: "approve", id: pendingOf(b)[0]!.id });
    const endOf = ({ membership }: Member) => membership.roster.log.state().members.get(c.signer.peer)?.notAfter;
    await whileTime(() => [a, b, c].every((member) => endOf(member) === NOW + DAY));
    expect(has(a, 4)).toBe(true);
    net.clock.advance((DAY + 301) * 1000);
    await until(() => [a, b].every((member) => member.membership.statusOf(c.signer.peer) === "expired"));
    await until(() => !a.exchange.admitted().includes(c.signer.peer));
  });
});

describe("admission", () => {
  const visitor = async (seed: number) => {
    const transport = net.hub.create(
      { logger: { debug() {}, info() {}, warn() {}, error() {} } },
      { peer: signerOf(seed).peer, streamsPerProtocolMax: 4, gossipBytesMax: 20_000 },
    );
    await transport.start();
    return transport;
  };
  const call = (member: Member) => ({
    peer: member.signer.peer,
    timeoutMs: 30_000,
    signal: patient(),
  });

  it("takes a newcomer by invite at once where the policy lets it, and only once", async () => {
    found(genesisWith({ approval: "invite" }));
    const [a, b, c] = [await net.up({ seed: 1 }), await net.up({ seed: 2 }), await net.up({ seed: 4 })];
    await connect(a, c);
    await connect(b, c);
    const invite = inviteBy(net.genesis, a.signer);
    const request = requestBy(invite, dave);
    const transport = await visitor(5);
    // A member that is no admin passes it on.
    await transport.dial(c.transport.addresses()[0]!, patient());
    const caller = { transport, clock: net.clock };
    const genesis = await fetchGenesis(caller, call(c), { request, network: invite.ticket.networkId, verify });
    expect(genesis).toEqual(net.genesis);
    const asked = askForAdmission(caller, call(c), { request, verify });
    let reply: Awaited<typeof asked> | undefined;
    void asked.then((said) => {
      reply = said;
    });
    await whileTime(() => reply !== undefined);
    await whileTime(() => has(a, 5) && has(b, 5) && has(c, 5));
    const again = await askForAdmission(caller, call(c), { request, verify });
    expect(again).toMatchObject({ code: "admitted" });
    const other = await visitor(6);
    await other.dial(a.transport.addresses()[0]!, patient());
    const second = requestBy(invite, signerOf(6));
    const answer = askForAdmission({ transport: other, clock: net.clock }, call(a), { request: second, verify });
    expect(await answer).toMatchObject({ code: "denied", reason: "INVITE_USED" });
    await transport.stop();
    await other.stop();
  });

  it("grants so many invites of one admin without a person, where the policy lets it, and the rest when one agrees", async () => {
    found(genesisWith({ approval: "invite" }, 1));
    const a = await net.up({ seed: 1 });
    const many = inviteBy(net.genesis, signerOf(2), { uses: 64 });
    const seeds = Array.from({ length: GRANTS_BY_POLICY_MAX + 2 }, (_, i) => 20 + i);
    for (const seed of seeds) a.membership.takeMessage({ kind: "request", body: requestBy(many, signerOf(seed)) });
    await whileTime(() => seeds.filter((seed) => has(a, seed)).length >= GRANTS_BY_POLICY_MAX);
    await whileTime(() => net.clock.now() > (NOW + 60) * 1000);
    expect(seeds.filter((seed) => has(a, seed))).toHaveLength(GRANTS_BY_POLICY_MAX);
    expect(pendingOf(a)).toHaveLength(2);
    // Another admin's invite is not held up.
    a.membership.takeMessage({
      kind: "request",
      body: requestBy(inviteBy(net.genesis, signerOf(3), { secret: 8 }), signerOf(70)),
    });
    await whileTime(() => has(a, 70));
    await act(a, { kind: "approve", id: pendingOf(a)[0]!.id });
    await whileTime(() => seeds.filter((seed) => has(a, seed)).length === GRANTS_BY_POLICY_MAX + 1);
  });

  it("grants no more of one admin's invites when it is started again, within the hour", async () => {
    found(genesisWith({ approval: "invite" }, 1));
    const many = inviteBy(net.genesis, signerOf(2), { uses: 64 });
    const seeds = Array.from({ length: 3 * GRANTS_BY_POLICY_MAX }, (_, i) => 20 + i);
    const store = createMemoryStore();
    let a = await net.up({ seed: 1, store });
    const granted = (): number => seeds.filter((seed) => has(a, seed)).length;
    const ask = (from: number): void => {
      for (const seed of seeds.slice(from, from + GRANTS_BY_POLICY_MAX)) {
        a.membership.takeMessage({
          kind: "request",
          body: requestBy(many, signerOf(seed), Math.floor(net.clock.now() / 1000)),
        });
      }
    };
    ask(0);
    await whileTime(() => granted() === GRANTS_BY_POLICY_MAX);
    await a.stop();
    a = await net.up({ seed: 1, store });
    expect(granted()).toBe(GRANTS_BY_POLICY_MAX);
    ask(GRANTS_BY_POLICY_MAX);
    await whileTime(() => net.clock.now() > (NOW + 60) * 1000);
    expect(granted()).toBe(GRANTS_BY_POLICY_MAX);
    net.clock.advance(3_600_000);
    ask(2 * GRANTS_BY_POLICY_MAX);
    await whileTime(() => granted() > GRANTS_BY_POLICY_MAX);
  });

  it("waits for people where the policy wants them, and tells a declined newcomer so", async () => {
    found();
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    const request = requestBy(inviteBy(net.genesis, a.signer), dave);
    expect(a.membership.takeMessage({ kind: "request", body: request })).toMatchObject({ verdict: "accept" });
    await until(() => pendingOf(b).length === 1);
    expect(pendingOf(b)[0]).toMatchObject({
      request: { candidate: dave.peer, label: "somebody", fingerprint: expect.stringMatching(/^(\d{4} ){4}\d{4}$/) },
      approvedBy: [],
    });
    for (const member of [a, b]) await act(member, { kind: "deny", id: pendingOf(member)[0]!.id });
    await until(() => pendingOf(a)[0]?.deniedBy.length === 2);
    const transport = await visitor(5);
    await transport.dial(a.transport.addresses()[0]!, patient());
    const said = await askForAdmission({ transport, clock: net.clock }, call(a), { request, verify });
    expect(said).toMatchObject({ code: "denied", reason: "DECLINED" });
    expect(has(a, 5)).toBe(false);
    await transport.stop();
  });

  it("that was granted is not granted again, and a removal of who was admitted holds", async () => {
    found();
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    a.membership.takeMessage({ kind: "request", body: requestBy(inviteBy(net.genesis, a.signer), dave) });
    await until(() => pendingOf(b).length === 1);
    for (const member of [b, a]) await act(member, { kind: "approve", id: pendingOf(member)[0]!.id });
    await whileTime(() => has(a, 5) && has(b, 5));
    await whileTime(() => net.clock.now() > (NOW + 60) * 1000);
    expect([...pendingOf(a), ...pendingOf(b)]).toEqual([]);
    expect([a, b].map(({ membership }) => membership.roster.log.state().entryCount)).toEqual([1, 1]);
    await act(b, { kind: "propose", statement: revoke(dave.peer) });
    await until(() => pendingOf(a).length === 1);
    await act(a, { kind: "approve", id: pendingOf(a)[0]!.id });
    await whileTime(() => [a, b].every(({ membership }) => membership.statusOf(dave.peer) === "removed"));
  });

  it("gives the genesis to nobody without an invite, and asks no more of forged ones", async () => {
    found();
    const a = await net.up({ seed: 1 });
    const forged = requestBy(inviteBy(net.genesis, signerOf(9)), dave);
    const transport = await visitor(5);
    await transport.dial(a.transport.addresses()[0]!, patient());
    const caller = { transport, clock: net.clock };
    const named = { request: forged, network: a.membership.roster.log.networkId, verify };
    await expect(fetchGenesis(caller, call(a), named)).rejects.toMatchObject({ code: "NOT_ALLOWED" });
    const said = await askForAdmission(caller, call(a), { request: forged, verify });
    expect(said).toMatchObject({ code: "denied", reason: "ISSUER_NOT_ADMIN" });
    expect(pendingOf(a)).toEqual([]);
    await transport.stop();
  });
});

describe("what a peer keeps", () => {
  it("never gives two of its entries one number, also when the one before was lost", async () => {
    found();
    const store = createMemoryStore();
    const a = await net.up({ seed: 1, store });
    await act(a, { kind: "propose", statement: admit(dave.peer) });
    const first = a.membership.proposals.messages()[0]!;
    await a.stop();
    for await (const [key] of store.entries("roster/note/")) await store.batch([{ delete: key }]);
    const again = await net.up({ seed: 1, store });
    await act(again, { kind: "propose", statement: admit(signerOf(6).peer) });
    expect(again.membership.takeMessage({ kind: "draft", body: first.body })).toMatchObject({ verdict: "accept" });
    expect(again.events.filter(({ type }) => type === "equivocation")).toEqual([]);
  });

  it("signs nothing where the roster holds a later entry of its key than its store does", async () => {
    found();
    const store = createMemoryStore();
    const a = await net.up({ seed: 1, store });
    await act(a, { kind: "propose", statement: admit(dave.peer) });
    await a.stop();
    const again = await net.up({ seed: 1, store });
    know(again, entryOf(net.genesis, admit(signerOf(6).peer), { sequence: 7 }));
    await expect(act(again, { kind: "propose", statement: admit(signerOf(7).peer) })).rejects.toMatchObject({
      code: "IDENTITY_IN_USE",
    });
    expect(again.events.filter(({ type }) => type === "equivocation")).toEqual([]);
  });

  it("loses nothing that it has acted on when it is killed", async () => {
    found();
    const a = await net.up({ seed: 1 });
    know(a, entryOf(net.genesis, admit(dave.peer)));
    await a.membership.roster.written();
    // Not stopped: a kill asks nobody.
    const again = await createConsortium(net.genesis).up({ seed: 1, store: a.store });
    expect(digestOf(again)).toBe(digestOf(a));
    await again.stop();
  });
});

describe("equivocation", () => {
  it("is proven, told, believed by everybody, and ends a membership where the policy says so", async () => {
    found();
    const [a, b, c] = [await net.up({ seed: 1 }), await net.up({ seed: 2 }), await net.up({ seed: 4 })];
    await connect(a, b);
    await connect(b, c);
    const both = [5, 6].map((seed) =>
      entryOf(net.genesis, admit(signerOf(seed).peer), { sequence: 7, by: [signerOf(3), signerOf(1)] }),
    );
    for (const [i, draft] of both.entries()) {
      const half = {
        ...draft,
        signatures: draft.signatures.map((one, at) =>
          draft.signers[at] === signerOf(3).peer ? one : new Uint8Array(0),
        ),
      };
      (i === 0 ? a : b).membership.takeMessage({ kind: "draft", body: encodeEntry(half) });
    }
    await until(() => [a, b, c].every((member) => member.membership.statusOf(signerOf(3).peer) === "removed"));
    expect(c.events).toContainEqual({
      type: "equivocation",
      peer: signerOf(3).peer,
      kind: "roster-entry",
      sequence: 7,
      isBarred: true,
    });
    const again = await net.up({ seed: 3 });
    await expect(dial(again, a)).rejects.toMatchObject({ code: "DIAL_FAILED" });
  });
});
