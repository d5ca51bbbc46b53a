/** Certificates at the edges of every clause of 10.6, and those of rotations and of invites. */
import { describe, expect, test } from "vitest";
import type { Signer } from "../envelope.ts";
import { LIMITS } from "../limits.ts";
import { ALICE, BOB, SELF, STRANGER } from "../vectors/example-network.ts";
import { CAROL, DAVE, DAY, EXAMPLE_GENESIS, NOW, signedEntry, termsOf } from "../vectors/example-roster.ts";
import { type CertificateContext, certificateOf, judgeCertificate } from "./certificate.ts";
import { createEntry, type Entry, encodeEntry, signEntry } from "./entry.ts";
import { opensslVerify } from "./openssl.suite.ts";
import { RosterLog } from "./roster-log.ts";

const skew = LIMITS.clockSkewSeconds;
const admitted = signedEntry({ kind: "admit", ...termsOf(DAVE.peer, "observer") });

function log(...entries: readonly Entry[]): RosterLog {
  const one = new RosterLog(EXAMPLE_GENESIS, { verify: opensslVerify });
  for (const entry of entries) {
    const { outcome } = one.add(encodeEntry(entry), NOW + DAY);
    if (outcome !== "added") throw new Error(`the entry does not enter: ${outcome}`);
  }
  return one;
}
const judged = (entry: Entry | Uint8Array, of: RosterLog, about: Partial<CertificateContext> = {}): string => {
  const bytes = entry instanceof Uint8Array ? entry : encodeEntry(entry);
  const context = { state: of.state(), peer: DAVE.peer, nowSeconds: NOW, verify: opensslVerify, ...about };
  const judgement = judgeCertificate(bytes, context);
  return judgement.isAccepted ? judgement.terms.role : judgement.code;
};

describe("a certificate", () => {
  test("is the entry that admits; nobody else has one", () => {
    expect(certificateOf(log(admitted), DAVE.peer)).toEqual(encodeEntry(admitted));
    expect(certificateOf(log(), DAVE.peer)).toBeUndefined();
    expect(certificateOf(log(admitted), CAROL.peer)).toBeUndefined();
  });

  test("comes back with its entry and the terms that hold", () => {
    const context = { state: log().state(), peer: DAVE.peer, nowSeconds: NOW, verify: opensslVerify };
    expect(judgeCertificate(encodeEntry(admitted), context)).toEqual({
      isAccepted: true,
      entry: admitted,
      terms: admitted.statement,
    });
    // Without a verifier of its own the strict one is asked.
    const { verify: _, ...strict } = context;
    expect(judgeCertificate(encodeEntry(admitted), strict).isAccepted).toBe(true);
    const [a] = admitted.signatures;
    expect(judgeCertificate(encodeEntry({ ...admitted, signatures: [a!, a!] }), strict)).toEqual({
      isAccepted: false,
      code: "SIGNATURE_INVALID",
    });
  });

  test("is of another network when only its network differs", () => {
    const { statement, signers, author, sequence } = admitted;
    const drawn = { parents: [], author, signers, sequence, issuedAt: NOW, statement };
    const foreign = createEntry({ ...drawn, networkId: "ab".repeat(32) as Entry["networkId"] });
    expect(judged([SELF, ALICE].reduce(signEntry, foreign), log())).toBe("NETWORK_MISMATCH");
  });

  test("begins and ends with its interval, and what is from later than now waits", () => {
    const { notBefore, notAfter } = termsOf(DAVE.peer);
    const at = (nowSeconds: number): string => judged(admitted, log(), { nowSeconds });
    expect([at(notBefore - skew - 1), at(notBefore - skew)]).toEqual(["NOT_YET", "observer"]);
    expect([at(notAfter + skew), at(notAfter + skew + 1)]).toEqual(["observer", "EXPIRED"]);
    const later = (issuedAt: number): Entry => signedEntry({ kind: "admit", ...termsOf(DAVE.peer) }, { issuedAt });
    expect([judged(later(NOW + skew), log()), judged(later(NOW + skew + 1), log())]).toEqual(["trainer", "NOT_YET"]);
  });

  test("has the terms that the roster knows, where it knows some", () => {
    const promoted = signedEntry({ kind: "promote", ...termsOf(DAVE.peer, "admin") }, { parents: [admitted.id] });
    expect(judged(admitted, log(admitted, promoted))).toBe("admin");
    const shorter = { kind: "expire", ...termsOf(DAVE.peer, "observer"), notAfter: NOW + DAY } as const;
    const of = log(admitted, signedEntry(shorter, { parents: [admitted.id] }));
    expect([NOW + DAY + skew, NOW + DAY + skew + 1].map((nowSeconds) => judged(admitted, of, { nowSeconds }))).toEqual([
      "observer",
      "EXPIRED",
    ]);
  });

  test("lasts no longer than the policy allows, and needs as many of today's admins as the policy asks for", () => {
    const { certificateSeconds } = log().state().policy;
    const lasting = (seconds: number, by: readonly Signer[] = [SELF, ALICE]): Entry =>
      signedEntry({ kind: "admit", ...termsOf(DAVE.peer), notBefore: NOW, notAfter: NOW + seconds }, { by });
    expect(judged(lasting(certificateSeconds), log())).toBe("trainer");
    expect(judged(lasting(certificateSeconds + 1), log())).toBe("BELOW_THRESHOLD");
    expect(judged(lasting(DAY, [SELF, ALICE, BOB]), log())).toBe("trainer");
    expect(judged(lasting(DAY, [SELF, CAROL]), log())).toBe("BELOW_THRESHOLD");
    // Enough have signed, and one that it names has not.
    const three = lasting(DAY, [SELF, ALICE, BOB]);
    const signatures = three.signatures.with(0, new Uint8Array(0));
    expect(judged({ ...three, signatures }, log())).toBe("BELOW_THRESHOLD");
    const removed = signedEntry({ kind: "revoke", subject: ALICE.peer, reason: "left" }, { by: [SELF, BOB] });
    expect(judged(lasting(DAY), log(removed))).toBe("BELOW_THRESHOLD");
    const asks = { ...log().state().policy, threshold: 3 };
    const stricter = log(signedEntry({ kind: "policy", policy: asks }));
    expect([judged(lasting(DAY), stricter), judged(lasting(DAY, [SELF, ALICE, BOB]), stricter)]).toEqual([
      "BELOW_THRESHOLD",
      "trainer",
    ]);
  });
});

describe("a certificate by an invite", () => {
  const invite = { key: "cd".repeat(32), uses: 2 };
  const byInvite = signedEntry({ kind: "admit", ...termsOf(DAVE.peer), invite });

  test("is lost once others have used the invite up, as far as somebody counts", () => {
    const asked: unknown[] = [];
    const used = (uses: number) => (key: string, subject: string) => {
      asked.push([key, subject]);
      return uses;
    };
    expect([0, 1, 2, 3].map((uses) => judged(byInvite, log(), { usesOf: used(uses) }))).toEqual([
      "trainer",
      "trainer",
      "LOST",
      "LOST",
    ]);
    expect(asked[0]).toEqual([invite.key, DAVE.peer]);
    expect(judged(byInvite, log())).toBe("trainer");
    // Without an invite there is nothing to count.
    expect(judged(admitted, log(), { usesOf: used(9) })).toBe("observer");
    expect(asked).toHaveLength(4);
  });
});

describe("a certificate by a rotation", () => {
  const rotation = { kind: "rotate", ...termsOf(DAVE.peer), replaces: CAROL.peer } as const;
  const by = [CAROL, DAVE, SELF, ALICE];
  const rotated = signedEntry(rotation, { by });

  test("holds before and after its entry is known, and no more once the old key was removed by another or barred", () => {
    expect([judged(rotated, log()), judged(rotated, log(rotated))]).toEqual(["trainer", "trainer"]);
    const removed = signedEntry({ kind: "revoke", subject: CAROL.peer, reason: "key-stolen" });
    expect(judged(rotated, log(removed))).toBe("LOST");
    const barred = log();
    barred.noteEquivocation(CAROL.peer);
    expect(judged(rotated, barred)).toBe("LOST");
    // That another member was removed or barred is no matter.
    const other = log(signedEntry({ kind: "revoke", subject: BOB.peer, reason: "left" }));
    other.noteEquivocation(STRANGER.peer);
    expect(judged(rotated, other)).toBe("trainer");
  });

  test("is lost where the roster holds it and does not count it", () => {
    const first = signedEntry(rotation, { by, sequence: 11 });
    const second = signedEntry({ ...rotation, notAfter: NOW + 20 * DAY }, { by, sequence: 12 });
    const both = log(first, second);
    expect(both.state().lost.length).toBeGreaterThan(0);
    const bystander = signedEntry({ kind: "admit", ...termsOf(STRANGER.peer) });
    expect(judged(bystander, both, { peer: STRANGER.peer })).toBe("trainer");
    for (const { id } of both.state().lost) expect(judged(id === first.id ? first : second, both)).toBe("LOST");
  });
});
