/** A certificate says what its bearer was granted; whether that counts the roster says, before and after it has heard of it. */
import { afterEach, describe, expect, it } from "vitest";
import { type Entry, encodeEntry } from "../../protocol/membership/entry.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { until } from "../system/network/transport.suite.ts";
import {
  ADMINS,
  admit,
  type Consortium,
  createConsortium,
  DAY,
  dial,
  entryOf,
  genesisWith,
  know,
  type Member,
  NOW,
  revoke,
} from "./membership.suite.ts";

let net: Consortium;
afterEach(() => net.stop());
const found = (): Consortium => {
  net = createConsortium(genesisWith());
  return net;
};
const INVITE = { key: "ab".repeat(32), uses: 1 };
const byInvite = (seed: number) => ({ ...admit(signerOf(seed).peer), invite: INVITE });
const shown = (certificate: Entry, ...entries: readonly Entry[]) => ({
  heads: [],
  certificate: encodeEntry(certificate),
  entries: entries.map(encodeEntry),
});
const statusOf = ({ membership }: Member, seed: number) => membership.statusOf(signerOf(seed).peer);
/** What changes an entry of the roster makes is looked at a moment later. */
const settled = (): Promise<void> => until(() => true).then(() => new Promise((resolve) => setTimeout(resolve, 1)));

describe("a grant that lost", () => {
  it("is no certificate where the roster holds it: of a race for one use of an invite one bearer is a member", async () => {
    found();
    const victim = await net.up({ seed: 1 });
    const grants = [5, 6, 7, 8].map((seed) => entryOf(net.genesis, byInvite(seed)));
    know(victim, ...grants);
    const losers = [5, 6, 7, 8].filter(
      (seed) => !victim.membership.roster.log.state().members.has(signerOf(seed).peer),
    );
    expect(losers).toHaveLength(3);
    for (const [i, seed] of [5, 6, 7, 8].entries()) {
      const judged = victim.membership.judgeShown(signerOf(seed).peer, shown(grants[i]!));
      expect(judged, `seed ${seed}`).toBe(losers.includes(seed) ? "NOT_A_MEMBER" : "WELCOME");
      expect(statusOf(victim, seed)).toBe(losers.includes(seed) ? "stranger" : "member");
    }
  });

  it("keeps its bearer out of a peer that holds it, and its updates with it", async () => {
    found();
    const grants = [5, 6].map((seed) => entryOf(net.genesis, byInvite(seed)));
    const victim = await net.up({ seed: 1 });
    know(victim, ...grants);
    const loser = [5, 6].find((seed) => statusOf(victim, seed) === "stranger")!;
    const liar = await net.up({ seed: loser, isGated: false });
    know(liar, grants[loser - 5]!);
    expect(statusOf(liar, loser)).toBe("member");
    await dial(liar, victim);
    await until(() => !victim.transport.connected().includes(liar.signer.peer));
    expect(victim.exchange.admitted()).toEqual([]);
    expect(statusOf(victim, loser)).toBe("stranger");
  });

  it("ends what was remembered of its certificate when it enters the roster", async () => {
    found();
    const victim = await net.up({ seed: 1 });
    const winner = entryOf(net.genesis, byInvite(5));
    const parent = entryOf(net.genesis, admit(signerOf(9).peer));
    const certificate = entryOf(net.genesis, byInvite(6), { parents: [parent.id] });
    // What it rests on has not come here, so its signatures are all that there is.
    expect(victim.membership.judgeShown(signerOf(6).peer, shown(certificate, certificate))).toBe("WELCOME");
    expect(statusOf(victim, 6)).toBe("member");
    know(victim, winner, parent);
    expect(victim.membership.roster.log.get(certificate.id)).toBeDefined();
    expect(statusOf(victim, 6)).toBe("stranger");
  });

  it("ends what was remembered of its certificate when others have used up the invite", async () => {
    found();
    const victim = await net.up({ seed: 1 });
    const missing = entryOf(net.genesis, admit(signerOf(9).peer));
    const certificate = entryOf(net.genesis, byInvite(6), { parents: [missing.id] });
    expect(victim.membership.judgeShown(signerOf(6).peer, shown(certificate, certificate))).toBe("WELCOME");
    know(victim, entryOf(net.genesis, byInvite(5)));
    await settled();
    expect(statusOf(victim, 6)).toBe("stranger");
    // It may rest on something that is not here, so it is asked for that; what it said before is not believed.
    expect(victim.membership.judgeShown(signerOf(6).peer, shown(certificate))).toBe("ROSTER");
    expect(victim.membership.judgeShown(signerOf(6).peer, shown(certificate, certificate))).toBe("NOT_A_MEMBER");
  });
});

describe("a rotation by a stolen key", () => {
  const rotation = (parents: Entry["parents"] = []) =>
    entryOf(
      net.genesis,
      {
        ...{ kind: "rotate", role: "trainer", notBefore: NOW, notAfter: NOW + DAY },
        ...{ subject: signerOf(9).peer, replaces: signerOf(4).peer },
      },
      { parents, by: [ADMINS[0]!, ADMINS[1]!, signerOf(4), signerOf(9)] },
    );

  it("makes nobody a member where the roster holds the revocation, whether or not it holds the rotation", async () => {
    found();
    const [victim, other] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    const taken = rotation();
    know(victim, entryOf(net.genesis, revoke(signerOf(4).peer)), taken);
    expect(victim.membership.judgeShown(signerOf(9).peer, shown(taken))).toBe("NOT_A_MEMBER");
    const missing = entryOf(net.genesis, admit(signerOf(8).peer));
    const later = rotation([missing.id]);
    know(other, entryOf(net.genesis, revoke(signerOf(4).peer)));
    expect(other.membership.judgeShown(signerOf(9).peer, shown(later, later))).toBe("NOT_A_MEMBER");
    expect([statusOf(victim, 9), statusOf(other, 9)]).toEqual(["stranger", "stranger"]);
  });

  it("ends the membership of the thief when the revocation comes", async () => {
    found();
    const victim = await net.up({ seed: 1 });
    const missing = entryOf(net.genesis, admit(signerOf(8).peer));
    const taken = rotation([missing.id]);
    expect(victim.membership.judgeShown(signerOf(9).peer, shown(taken, taken))).toBe("WELCOME");
    expect(statusOf(victim, 9)).toBe("member");
    know(victim, entryOf(net.genesis, revoke(signerOf(4).peer)));
    await settled();
    expect(statusOf(victim, 9)).toBe("stranger");
  });
});
