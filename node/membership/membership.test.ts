import { afterEach, describe, expect, it } from "vitest";
import { encodeEntry } from "../../protocol/membership/entry.ts";
import { signerOf, thetaOf } from "../exchange/exchange.suite.ts";
import { until } from "../system/network/transport.suite.ts";
import {
  admit,
  areNeighbours,
  type Consortium,
  connect,
  createConsortium,
  DAY,
  dial,
  digestOf,
  entryOf,
  genesisWith,
  know,
  type Member,
  NOW,
  revoke,
} from "./membership.suite.ts";

let net: Consortium;
afterEach(() => net.stop());
const found = (genesis = genesisWith()): Consortium => {
  net = createConsortium(genesis);
  return net;
};
const dave = signerOf(5);
const publish = (member: Member, seed: number, round: number) =>
  member.exchange.publish({ round, theta: thetaOf(seed, round), localSteps: 3, sampleCount: 40 });
const authors = (member: Member): readonly string[] => member.exchange.latest().map(({ peer }) => peer);

describe("the roster of a peer", () => {
  it("reaches everybody by gossip, late joiners by exchange, and is there after a restart", async () => {
    found();
    const [a, b, c] = [await net.up({ seed: 1 }), await net.up({ seed: 2 }), await net.up({ seed: 4 })];
    await connect(a, b);
    await connect(b, c);
    const entry = entryOf(net.genesis, admit(dave.peer));
    expect(a.membership.takeMessage({ kind: "entry", body: encodeEntry(entry) })).toEqual({
      verdict: "accept",
      code: "NEWS",
    });
    await until(() => digestOf(b) === digestOf(a) && digestOf(c) === digestOf(a));
    expect(c.membership.roleOf(dave.peer)).toBe("trainer");
    const late = await net.up({ seed: 3 });
    await connect(late, c);
    await until(() => digestOf(late) === digestOf(a));
    await late.stop();
    const again = await net.up({ seed: 3, store: late.store });
    expect(digestOf(again)).toBe(digestOf(a));
    expect(again.membership.roleOf(dave.peer)).toBe("trainer");
  });

  it("converges after a partition in which both sides went on, more entries than are gossiped one by one", async () => {
    found();
    const [a, b, c, d] = [
      await net.up({ seed: 1 }),
      await net.up({ seed: 2 }),
      await net.up({ seed: 3 }),
      await net.up({ seed: 4 }),
    ];
    const left = Array.from({ length: 40 }, (_, i) => entryOf(net.genesis, admit(signerOf(20 + i).peer)));
    know(a, ...left);
    know(d, entryOf(net.genesis, revoke(signerOf(20).peer)));
    await connect(a, b);
    await connect(c, d);
    await connect(b, c);
    await until(() => new Set([a, b, c, d].map(digestOf)).size === 1);
    for (const member of [a, b, c, d]) expect(member.membership.statusOf(signerOf(20).peer)).toBe("removed");
  });
});

describe("the handshake", () => {
  it("takes a newcomer by its certificate where nobody has heard of it", async () => {
    found();
    const entry = entryOf(net.genesis, admit(dave.peer));
    const [old, fresh] = [await net.up({ seed: 4 }), await net.up({ seed: 5 })];
    know(fresh, entry);
    await connect(fresh, old);
    await until(() => digestOf(old) === digestOf(fresh));
  });

  it("takes one whom unheard admins have admitted, by the entries that its certificate rests on", async () => {
    found();
    const [eve, frank] = [signerOf(6), signerOf(7)];
    const first = entryOf(net.genesis, admit(eve.peer, "admin"));
    const second = entryOf(net.genesis, admit(frank.peer, "admin"), { parents: [first.id] });
    const third = entryOf(net.genesis, admit(dave.peer), { parents: [second.id], by: [eve, frank] });
    const [old, fresh] = [await net.up({ seed: 4 }), await net.up({ seed: 5 })];
    know(fresh, first, second, third);
    await connect(fresh, old);
    expect(old.membership.roleOf(dave.peer)).toBe("trainer");
  });

  it("refuses a stranger, whatever that one thinks of itself, and tells it why", async () => {
    found();
    const [old, stranger] = [await net.up({ seed: 4 }), await net.up({ seed: 9 })];
    // A roster of its own making, under the same manifest: nobody else has signed it.
    await dial(stranger, old);
    await until(() => stranger.said.length > 0 && old.transport.connected().length === 0);
    expect(stranger.said).toEqual(["peer refused: the peer does not count this one among the members of the network"]);
    expect([...old.exchange.admitted(), ...stranger.exchange.admitted()]).toEqual([]);
    await expect(dial(stranger, old)).rejects.toMatchObject({ code: "DIAL_FAILED" });
    net.clock.advance(60_001);
    await dial(stranger, old);
  });
});

describe("a membership that ends", () => {
  it("cuts a revoked neighbour off everywhere at once, and drops what it sent", async () => {
    found();
    const [a, b, c] = [await net.up({ seed: 1 }), await net.up({ seed: 2 }), await net.up({ seed: 4 })];
    await connect(a, c);
    await connect(b, c);
    await connect(a, b);
    await publish(c, 4, 0);
    await until(() => authors(a).length === 1 && authors(b).length === 1);
    a.membership.takeMessage({ kind: "entry", body: encodeEntry(entryOf(net.genesis, revoke(c.signer.peer))) });
    await until(() => !areNeighbours(a, c) && !areNeighbours(b, c));
    await until(() => c.transport.connected().length === 0);
    expect([...authors(a), ...authors(b)]).toEqual([]);
    expect(b.events).toContainEqual({ type: "member", change: "revoked", peer: c.signer.peer, role: "trainer" });
    await expect(dial(c, a)).rejects.toMatchObject({ code: "DIAL_FAILED" });
  });

  it("keeps what a revoked member sent where the policy says so", async () => {
    found(genesisWith({ earlierUpdates: "keep" }));
    const [a, c] = [await net.up({ seed: 1 }), await net.up({ seed: 4 })];
    await connect(a, c);
    await publish(c, 4, 0);
    await until(() => authors(a).length === 1);
    know(a, entryOf(net.genesis, revoke(c.signer.peer)));
    await until(() => a.exchange.admitted().length === 0);
    expect(authors(a)).toEqual([c.signer.peer]);
  });

  it("ends while connected when its time is over, five minutes of skew included", async () => {
    found();
    const entry = entryOf(net.genesis, admit(dave.peer, "trainer", NOW + DAY));
    const [a, d] = [await net.up({ seed: 1 }), await net.up({ seed: 5 })];
    know(a, entry);
    know(d, entry);
    await connect(d, a);
    net.clock.advance((DAY + 300) * 1000);
    expect(areNeighbours(a, d)).toBe(true);
    net.clock.advance(1000);
    await until(() => a.transport.connected().length === 0);
    expect(a.events.at(-1)).toMatchObject({ type: "roster", members: 4 });
    expect(a.events).toContainEqual({ type: "member", change: "expired", peer: dave.peer, role: "trainer" });
    net.clock.advance(60_001);
    await dial(d, a);
    await until(() => d.said.some((line) => line.includes("membership is over")));
  });
});

describe("roles", () => {
  it("lets observers receive and never send, and relays neither", async () => {
    found();
    const [eve, frank] = [signerOf(6), signerOf(7)];
    const entries = [
      entryOf(net.genesis, admit(eve.peer, "observer")),
      entryOf(net.genesis, admit(frank.peer, "relay")),
    ];
    const [a, o, r] = [await net.up({ seed: 1 }), await net.up({ seed: 6 }), await net.up({ seed: 7 })];
    for (const member of [a, o, r]) know(member, ...entries);
    // The relay stands between the two.
    await connect(a, r);
    await connect(o, r);
    await connect(o, a);
    await publish(a, 1, 0);
    await until(() => authors(o).length === 1);
    expect(await publish(o, 6, 0)).toBeUndefined();
    expect(await publish(r, 7, 0)).toBeUndefined();
    expect(authors(r)).toEqual([]);
    expect([eve.peer, frank.peer, a.signer.peer].map((peer) => o.exchange.isAuthor(peer))).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe("members that fill a peer's places", () => {
  it("have room for an admin beside them, who may bring their removal", async () => {
    found();
    const full = await net.up({ seed: 1, exchange: { neighboursMax: 1, moreAdminsMax: 1 } });
    const erin = entryOf(net.genesis, admit(signerOf(6).peer));
    const [trainer, other] = [await net.up({ seed: 4 }), await net.up({ seed: 6 })];
    for (const member of [full, trainer, other]) know(member, erin);
    await connect(full, trainer);
    await dial(other, full).catch(() => undefined);
    await until(() => other.said.some((line) => line.includes("no room for another neighbour")));
    await connect(await net.up({ seed: 2 }), full);
    const third = await net.up({ seed: 3 });
    await dial(third, full).catch(() => undefined);
    await until(() => third.said.some((line) => line.includes("no room for another neighbour")));
    expect(full.exchange.admitted()).toHaveLength(2);
  });
});
