/** The table of what waits at a peer: nobody fills it for the others. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Signer } from "../../protocol/envelope.ts";
import {
  createEntry,
  encodeEntry,
  type Statement,
  signEntry,
  statementDigest,
} from "../../protocol/membership/entry.ts";
import { RosterLog } from "../../protocol/membership/roster-log.ts";
import { roleOf } from "../../protocol/membership/roster-state.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { makeRoom, type Place } from "./fair-places.ts";
import { ADMINS, admit, DAY, genesisWith, inviteBy, NOW, requestBy, revoke } from "./membership.suite.ts";
import {
  ADMIN_PLACES,
  ADMISSIONS_SHARE,
  DRAFTS_PER_AUTHOR_MAX,
  PendingMessages,
  REQUESTS_BEYOND_USES_MAX,
  ROTATIONS_PER_MEMBER_MAX,
  statementFor,
} from "./pending-messages.ts";

const genesis = genesisWith();
let log: RosterLog;
let pending: PendingMessages;
let verified: number;
const declined = new Set<string>();

beforeEach(() => {
  const verifyNatively = createNativeVerifier();
  const verify: VerifySignature = (...signed) => {
    verified++;
    return verifyNatively(...signed);
  };
  verified = 0;
  declined.clear();
  log = new RosterLog(genesis, { verify });
  const role = (peer: PeerId) => roleOf(log.state(), peer, NOW);
  pending = new PendingMessages({
    ...{ store: createMemoryStore(), log, clock: { now: () => NOW * 1000 }, verify, save: () => undefined },
    ...{ isAdmin: (peer) => role(peer) === "admin", isMember: (peer) => role(peer) !== undefined },
    ...{ hasDeclined: (id) => declined.has(id), onOpenRequest: () => undefined, onEquivocation: () => undefined },
  });
});

let sequence = 0;
/** A draft by the first of those who sign, with others asked to sign. */
function draft(statement: Statement, by: readonly Signer[], asked: readonly Signer[] = []) {
  const signers = [...by, ...asked].map(({ peer }) => peer);
  const fields = { networkId: log.networkId, parents: [], author: signers[0]!, signers, issuedAt: NOW };
  return by.reduce(signEntry, createEntry({ ...fields, sequence: sequence++, statement }));
}
const take = (entry: ReturnType<typeof draft>) => pending.take({ kind: "draft", body: encodeEntry(entry) }).code;
const ask = (secret: number, candidate: number, { issuer = ADMINS[0]!, uses = 1 } = {}) =>
  pending.take({ kind: "request", body: requestBy(inviteBy(genesis, issuer, { secret, uses }), signerOf(candidate)) })
    .code;
const rotation = (from: Signer, to: Signer): Statement => ({
  ...{ kind: "rotate", role: "trainer", notBefore: NOW, notAfter: NOW + DAY },
  ...{ subject: to.peer, replaces: from.peer },
});

describe("the table of what waits", () => {
  it("takes drafts of admins, and of members that give their own membership away, and no others", () => {
    const [admin, asked, member, fresh, other] = [ADMINS[0]!, ADMINS[1]!, signerOf(4), signerOf(60), signerOf(61)];
    expect(take(draft(admit(other.peer), [admin], [asked]))).toBe("NEWS");
    expect(take(draft(admit(other.peer), [member], [admin]))).toBe("NOT_AN_ADMIN");
    expect(take(draft(rotation(fresh, other), [fresh, other], [admin]))).toBe("NOT_AN_ADMIN");
    expect(take(draft(rotation(member, fresh), [fresh], [member, admin]))).toBe("NOT_AN_ADMIN");
    for (let i = 0; i < ROTATIONS_PER_MEMBER_MAX; i++) {
      const to = signerOf(62 + i);
      expect(take(draft(rotation(member, to), [member, to], [admin])), `rotation ${i}`).toBe("NEWS");
    }
    expect(take(draft(rotation(member, signerOf(99)), [member, signerOf(99)], [admin]))).toBe("FULL");
  });

  it("takes so many requests by one invite, and a removal by admins whatever else waits", () => {
    const kept = 1 + REQUESTS_BEYOND_USES_MAX;
    const codes = Array.from({ length: kept + 3 }, (_, i) => ask(1, 10 + i));
    expect(codes).toEqual([...Array(kept).fill("NEWS"), "FULL", "FULL", "FULL"]);
    for (let i = 0; pending.requests().length < ADMIN_PLACES; i++) ask(2 + (i >> 5), 20 + i, { uses: 64 });
    expect(ask(100, 240, { uses: 64 })).toBe("FULL");
    const removal = revoke(signerOf(4).peer);
    expect(take(draft(removal, [ADMINS[1]!], [ADMINS[2]!]))).toBe("NEWS");
    expect(take(draft(removal, [ADMINS[2]!], [ADMINS[1]!]))).toBe("NEWS");
    expect(pending.approversOf(statementDigest(removal))).toHaveLength(2);
    // What is told first is what cannot wait.
    expect(pending.messages()[0]).toMatchObject({ kind: "draft" });
  });

  it("hears an admin's removal whatever number of admissions it and the other admins wait with", () => {
    for (let i = 0; i < DRAFTS_PER_AUTHOR_MAX; i++)
      take(draft(admit(signerOf(100 + i).peer), [ADMINS[0]!], [ADMINS[1]!]));
    expect(pending.drafts()).toHaveLength(ADMISSIONS_SHARE * DRAFTS_PER_AUTHOR_MAX);
    const removal = draft(revoke(signerOf(4).peer), [ADMINS[0]!], [ADMINS[1]!]);
    expect(take(removal)).toBe("NEWS");
    expect(take(draft(admit(signerOf(200).peer), [ADMINS[0]!], [ADMINS[1]!]))).toBe("FULL");
    for (const admin of ADMINS.slice(1)) {
      for (let i = 0; i < DRAFTS_PER_AUTHOR_MAX; i++) take(draft(admit(signerOf(100 + i).peer), [admin], [ADMINS[0]!]));
    }
    expect(pending.drafts().map(({ id }) => id)).toContain(removal.id);
  });

  it("gives the places of whoever has most of them to others that have less", () => {
    for (let i = 0; i < ADMIN_PLACES; i++) expect(ask(1 + (i >> 5), 10 + i, { uses: 64 }), `request ${i}`).toBe("NEWS");
    expect(ask(100, 230, { uses: 64 })).toBe("FULL");
    expect(ask(101, 231, { issuer: ADMINS[1]! })).toBe("NEWS");
    expect(pending.requests()).toHaveLength(ADMIN_PLACES);
    expect(pending.requests().filter(({ ticket }) => ticket.issuer === ADMINS[1]!.peer)).toHaveLength(1);
  });

  it("gives away the place of what was declined when it is full", () => {
    for (let i = 0; i < ADMIN_PLACES; i++) ask(1 + (i >> 5), 10 + i, { uses: 64 });
    const [first] = pending.requests();
    expect(ask(100, 230, { uses: 64 })).toBe("FULL");
    declined.add(statementDigest(statementFor(first!, log)));
    expect(ask(100, 230, { uses: 64 })).toBe("NEWS");
    expect(pending.requests().map(({ id }) => id)).not.toContain(first!.id);
  });

  it("verifies each signature once, however often it is looked through", () => {
    for (let i = 0; i < 64; i++) ask(1, 10 + i, { uses: 64 });
    const half = draft(revoke(signerOf(4).peer), [ADMINS[0]!], [ADMINS[1]!]);
    expect(take(half)).toBe("NEWS");
    expect(verified).toBe(64 * 3 + 1);
    expect(take(signEntry(half, ADMINS[1]!))).toBe("NEWS");
    expect(verified).toBe(64 * 3 + 2);
    for (let i = 0; i < 10; i++) pending.tidy();
    expect(pending.statements().size).toBe(65);
    expect(verified).toBe(64 * 3 + 2);
  });
});

describe("a table with places", () => {
  const full = (origins: string, isDeclined = false): { places: Place[]; gone: string[] } => {
    const gone: string[] = [];
    const places = [...origins].map((origin, i) => ({
      origin,
      isDeclined,
      forget: () => void gone.push(`${origin}${i}`),
    }));
    return { places, gone };
  };

  it.each([
    ["aaa", "b", 4, true, []],
    ["aaab", "b", 4, true, ["a2"]],
    ["aabb", "b", 4, false, []],
    ["aabb", "a", 4, false, []],
    ["aabb", "c", 4, true, ["b3"]],
    ["abcd", "e", 4, false, []],
    ["aaaa", "a", 4, false, []],
  ])("%s, one more of %s in %i places", (origins, origin, max, hasRoom, forgotten) => {
    const { places, gone } = full(origins);
    expect(makeRoom(places, origin, max)).toBe(hasRoom);
    expect(gone).toEqual(forgotten);
  });
});
