/** What an admin's peer signs for a statement that its person agrees to, where others draw the entry up with bad intent. */
import { afterEach, describe, expect, it } from "vitest";
import type { Signer } from "../../protocol/envelope.ts";
import {
  decodeEntry,
  type Entry,
  type EntryId,
  encodeEntry,
  type Statement,
  signEntry,
  statementDigest,
} from "../../protocol/membership/entry.ts";
import { POLICY_DEFAULTS } from "../../protocol/membership/settings.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { until } from "../system/network/transport.suite.ts";
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
  hasMember,
  know,
  type Member,
  NOW,
  revoke,
} from "./membership.suite.ts";

let net: Consortium;
afterEach(() => net.stop());
const found = (threshold: number): Consortium => {
  net = createConsortium(genesisWith({}, threshold));
  return net;
};

/** A draft with the signatures of some of its signers alone. */
function draftOf(
  statement: Statement,
  drawn: { by: readonly Signer[]; signed: readonly Signer[]; parents?: readonly EntryId[]; issuedAt?: number },
) {
  const whole = entryOf(net.genesis, statement, drawn);
  const isSigned = (i: number): boolean => drawn.signed.some(({ peer }) => peer === whole.signers[i]);
  return { ...whole, signatures: whole.signatures.map((one, i) => (isSigned(i) ? one : new Uint8Array(0))) };
}
const tell = (members: readonly Member[], draft: Entry): void => {
  for (const { membership } of members) membership.takeMessage({ kind: "draft", body: encodeEntry(draft) });
};
const approve = (member: Member, statement: Statement) =>
  actAt(net, member, { kind: "approve", id: statementDigest(statement) });
const draftsAt = ({ membership }: Member): readonly Entry[] =>
  membership.proposals.messages().flatMap(({ kind, body }) => (kind === "draft" ? [decodeEntry(body)] : []));
/** Let a minute pass in small steps. */
const minute = async (): Promise<void> => {
  for (let i = 0; i < 60; i++) {
    net.clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

describe("a removal that two of three admins agree to", () => {
  const accomplices = ADMINS.map((one, i) => [i + 1, one] as const);

  it.each(accomplices)("is held up by no draft of admin %i that follows what nobody has", async (seed, hostile) => {
    found(2);
    const honest = await Promise.all([1, 2, 3].filter((one) => one !== seed).map((one) => net.up({ seed: one })));
    await connect(honest[0]!, honest[1]!);
    const removal = revoke(signerOf(4).peer);
    const by = [hostile, ...honest.map(({ signer }) => signer)];
    const nowhere = "ab".repeat(32) as EntryId;
    tell(honest, draftOf(removal, { by, signed: [hostile], parents: [nowhere] }));
    for (const member of honest) await approve(member, removal);
    await minute();
    expect(honest.map((member) => hasMember(net, member, 4))).toEqual([false, false]);
  });

  it.each(accomplices)(
    "is held up by no admin that says it agrees and signs nothing more: %i",
    async (seed, hostile) => {
      found(2);
      const honest = await Promise.all([1, 2, 3].filter((one) => one !== seed).map((one) => net.up({ seed: one })));
      // Connected with both, and its person has agreed to nothing.
      const quiet = await net.up({ seed });
      await connect(honest[0]!, honest[1]!);
      for (const member of honest) await connect(member, quiet);
      // Its own removal, which it pretends to want.
      const removal = revoke(hostile.peer);
      tell(honest, draftOf(removal, { by: [hostile], signed: [hostile] }));
      for (const member of honest) await approve(member, removal);
      await minute();
      expect(honest.map((member) => hasMember(net, member, seed))).toEqual([false, false]);
    },
  );
});

describe("a removal that follows entries of long ago", () => {
  const [first, second, third] = ADMINS as [Signer, Signer, Signer];

  it("is not signed as it is: it ends the membership that all agreed to end, and none that its subject has signed", async () => {
    found(2);
    const a = await net.up({ seed: 1 });
    const admission = entryOf(net.genesis, admit(signerOf(5).peer), { by: [third, second], issuedAt: NOW });
    const promotion = entryOf(net.genesis, admit(signerOf(6).peer, "admin"), {
      by: [third, first],
      parents: [admission.id],
    });
    know(a, admission, promotion);
    const removal = revoke(third.peer);
    const stale = draftOf(removal, { by: [second, first], signed: [second], issuedAt: NOW - 5 * DAY });
    tell([a], stale);
    await approve(a, removal);
    await minute();
    expect(a.membership.roster.log.get(stale.id)).toBeUndefined();
    // Drawn up anew on what is here, for the same to sign.
    const fresh = draftsAt(a).find(({ author }) => author === first.peer)!;
    expect([fresh.parents, fresh.signers]).toEqual([[promotion.id], [first.peer, second.peer].sort()]);
    a.membership.takeMessage({ kind: "draft", body: encodeEntry(signEntry(fresh, second)) });
    await until(() => !hasMember(net, a, 3));
    expect([5, 6].map((seed) => hasMember(net, a, seed))).toEqual([true, true]);
    expect(a.membership.roster.log.state().lost).toEqual([]);
  });

  it("is signed all the same where that is meant, and where only what the removed key signed later would fall", async () => {
    found(2);
    const a = await net.up({ seed: 1 });
    const removal = revoke(third.peer);
    tell([a], draftOf(removal, { by: [second], signed: [second] }));
    await approve(a, removal);
    // As automatic approvals would let it in: whoever holds the key holds up nothing by it, whatever time it states.
    const admission = entryOf(net.genesis, admit(signerOf(5).peer), { by: [third, second], issuedAt: NOW - 1000 });
    know(a, admission);
    tell([a], draftOf(removal, { by: [second, first], signed: [second], issuedAt: NOW - 2000 }));
    await until(() => !hasMember(net, a, 3));
    expect(hasMember(net, a, 5)).toBe(false);

    const b = await net.up({ seed: 2 });
    know(b, admission);
    tell([b], draftOf(removal, { by: [first, second], signed: [first] }));
    await actAt(net, b, { kind: "approve", id: statementDigest(removal), isMeant: true });
    await until(() => !hasMember(net, b, 3));
    expect(hasMember(net, b, 5)).toBe(false);
  });

  it("loses no admin unasked, not even one that the removed key helped to make later", async () => {
    found(2);
    const a = await net.up({ seed: 1 });
    const removal = revoke(third.peer);
    const promotion = entryOf(net.genesis, admit(signerOf(6).peer, "admin"), {
      by: [third, first],
      issuedAt: NOW + 50,
    });
    know(a, promotion);
    const stale = draftOf(removal, { by: [second, first], signed: [second], issuedAt: NOW });
    tell([a], stale);
    await approve(a, removal);
    await minute();
    expect(a.membership.roster.log.get(stale.id)).toBeUndefined();
    expect(draftsAt(a).some(({ author, parents }) => author === first.peer && parents[0] === promotion.id)).toBe(true);
  });

  it("is a rotation too: whoever approves it is told to have it asked for anew", async () => {
    found(2);
    const a = await net.up({ seed: 1 });
    know(a, entryOf(net.genesis, admit(signerOf(5).peer), { by: [third, second], issuedAt: NOW }));
    const rotation = (subject: Signer): Statement => {
      const terms = { subject: subject.peer, role: "admin" as const, notBefore: NOW, notAfter: NOW + 86_400 };
      return { kind: "rotate", replaces: third.peer, ...terms };
    };
    const old = rotation(signerOf(9));
    tell([a], draftOf(old, { by: [third, signerOf(9), first, second], signed: [third, signerOf(9), second] }));
    await expect(approve(a, old)).rejects.toMatchObject({ code: "NOT_ALLOWED", facts: { problem: "act-outdated" } });
    expect(hasMember(net, a, 3)).toBe(true);
    const parents = a.membership.roster.log.nextParents();
    const fresh = rotation(signerOf(10));
    tell(
      [a],
      draftOf(fresh, { by: [third, signerOf(10), first, second], signed: [third, signerOf(10), second], parents }),
    );
    await approve(a, fresh);
    await until(() => hasMember(net, a, 10));
    expect(hasMember(net, a, 5)).toBe(true);
  });
});

it("what somebody agreed to once is not signed when it is drawn up anew after its time", async () => {
  found(2);
  const a = await net.up({ seed: 1 });
  const [, second] = ADMINS as [Signer, Signer, Signer];
  // There is no time in it: drawn up years later, it is the same statement.
  const lax: Statement = { kind: "policy", policy: { ...POLICY_DEFAULTS, threshold: 1 } };
  await actAt(net, a, { kind: "propose", statement: lax });
  net.clock.advance(15 * DAY * 1000);
  await minute();
  const issuedAt = Math.floor(net.clock.now() / 1000);
  tell([a], draftOf(lax, { by: [second, a.signer], signed: [second], issuedAt }));
  await minute();
  expect([a.membership.roster.log.entryCount, draftsAt(a).length]).toEqual([0, 1]);
  await approve(a, lax);
  await until(() => a.membership.roster.log.entryCount === 1);
});
