/** Invites, what is asked for by them, and the answers. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Signer } from "../envelope.ts";
import { LIMITS } from "../limits.ts";
import { parsePeerId } from "../peer-id.ts";
import { ALICE, BOB, SELF, STRANGER } from "../vectors/example-network.ts";
import { CAROL, DAVE, DAY, EXAMPLE_GENESIS, NOW, ROSTER_ID, signedEntry, termsOf } from "../vectors/example-roster.ts";
import {
  type AdmissionContext,
  admissionStatement,
  createAdmissionRequest,
  fingerprintOf,
  judgeAdmissionRequest,
  readAdmissionReply,
  signAdmissionReply,
} from "./admission.ts";
import { certificateOf, judgeCertificate } from "./certificate.ts";
import { type Entry, encodeEntry } from "./entry.ts";
import { createInvite, type Invite, inviteText, parseInvite } from "./invite.ts";
import { RosterLog } from "./roster-log.ts";

const SECRET = new Uint8Array(16).fill(42);
const ADDRESSES = [`/ip4/203.0.113.5/tcp/4001/p2p/${SELF.peer}`, `/dns4/relay.example/tcp/443/p2p/${ALICE.peer}`];
const TERMS = { networkId: ROSTER_ID, role: "trainer", uses: 1, notAfter: NOW + 2 * DAY } as const;
const INVITE = createInvite({ ...TERMS, secret: SECRET, addresses: ADDRESSES }, SELF);
const invalid = expect.objectContaining({ code: "INVITE_INVALID" });

describe("the text of an invite", () => {
  const text = inviteText(INVITE);

  test("comes back whole, is one short line, and may be written in capitals", () => {
    expect(parseInvite(text)).toEqual(INVITE);
    expect(parseInvite(text.toUpperCase())).toEqual(INVITE);
    expect(text).toMatch(/^weft1[a-z0-9]+$/);
    expect(inviteText({ ...INVITE, addresses: ADDRESSES.slice(0, 1) }).length).toBeLessThan(320);
  });

  test("says so when a character is wrong, missing, or of another kind", () => {
    const wrong = (i: number) => `${text.slice(0, i)}${text[i] === "q" ? "p" : "q"}${text.slice(i + 1)}`;
    for (const bad of [wrong(5), wrong(99), text.slice(0, -1), text.replace("weft", "left"), "", "weft1", `${text}q`]) {
      expect(() => parseInvite(bad), bad).toThrow(invalid);
    }
    expect(() => parseInvite(text.slice(0, -1))).toThrow(/checksum/);
    expect(() => parseInvite("q".repeat(LIMITS.inviteTextLengthMax + 1))).toThrow(invalid);
  });

  test("is refused when the terms are not those that the issuer signed", () => {
    const forged = createInvite({ ...TERMS, role: "admin", secret: SECRET, addresses: [] }, SELF);
    const other = createInvite({ ...TERMS, secret: new Uint8Array(16), addresses: [] }, SELF);
    expect(() => parseInvite(inviteText({ ...forged, secret: other.secret }))).toThrow(/did not sign/);
  });

  test("no single change of a character is accepted", () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(..."qpzry9x8gf2tvdw0s3jn54khce6mua7l1b"), (at, char) => {
        fc.pre(text[at] !== char);
        expect(() => parseInvite(text.slice(0, at) + char + text.slice(at + 1))).toThrow(invalid);
      }),
      { numRuns: 200 },
    );
  });

  test("what is out of bounds is not written", () => {
    const make = (changes: object) => () => createInvite({ ...TERMS, secret: SECRET, addresses: [], ...changes }, SELF);
    for (const changes of [{ uses: 0 }, { uses: 1025 }, { notAfter: 1.5 }, { secret: new Uint8Array(15) }]) {
      expect(make(changes)).toThrow(invalid);
    }
    expect(make({ addresses: ["/ip4/1.2.3.4/tcp/1"] })).toThrow(invalid);
  });
});

describe("asking for admission", () => {
  const log = new RosterLog(EXAMPLE_GENESIS);
  const contextOf = (of: RosterLog, nowSeconds = NOW): AdmissionContext => ({
    state: of.state(),
    usesOf: (key, subject) => of.usesOf(key, subject),
    nowSeconds,
  });
  const request = (invite: Pick<Invite, "ticket" | "secret"> = INVITE, candidate: Signer = DAVE) =>
    createAdmissionRequest(invite, { label: "site 4", issuedAt: NOW }, candidate);
  const codeOf = (bytes: Uint8Array, context = contextOf(log)) => {
    const judgement = judgeAdmissionRequest(bytes, context);
    return judgement.isAccepted ? "accepted" : judgement.code;
  };
  const inviteOf = (changes: object, issuer: Signer = SELF) =>
    createInvite({ ...TERMS, secret: SECRET, addresses: [], ...changes }, issuer);

  test("by an invite of an admin; the policy says whether a person decides", () => {
    const judgement = judgeAdmissionRequest(request(), contextOf(log));
    expect(judgement).toMatchObject({
      isAccepted: true,
      needsPerson: true,
      request: { candidate: DAVE.peer, label: "site 4", ticket: { role: "trainer", uses: 1, issuer: SELF.peer } },
    });
    const lenient = { ...log.state(), policy: { ...log.state().policy, approval: "invite" as const } };
    const needsPerson = (role: "trainer" | "admin") =>
      judgeAdmissionRequest(request(inviteOf({ role })), { ...contextOf(log), state: lenient });
    expect([needsPerson("trainer"), needsPerson("admin")]).toMatchObject([
      { needsPerson: false },
      { needsPerson: true },
    ]);
  });

  const other = "00".repeat(32) as typeof ROSTER_ID;
  const late = NOW + 2 * DAY + LIMITS.clockSkewSeconds;
  const rows: readonly (readonly [string, () => Uint8Array, number?])[] = [
    ["MALFORMED", () => request().subarray(1)],
    ["NETWORK_MISMATCH", () => request(inviteOf({ networkId: other }))],
    ["ISSUER_NOT_ADMIN", () => request(inviteOf({}, CAROL))],
    ["ISSUER_NOT_ADMIN", () => request(inviteOf({}, STRANGER))],
    ["INVITE_EXPIRED", () => request(), late + 1],
    ["accepted", () => request(), late],
    ["EARLY", () => request(), NOW - LIMITS.clockSkewSeconds - 1],
    ["ALREADY_MEMBER", () => request(INVITE, CAROL)],
    ["PROOF_INVALID", () => request({ ticket: INVITE.ticket, secret: new Uint8Array(16) })],
  ];
  test.each(rows.map(([expected, bytes, at = NOW]) => ({ expected, bytes, at })))(
    "$expected",
    ({ expected, bytes, at }) => {
      expect(codeOf(bytes(), contextOf(log, at))).toBe(expected);
    },
  );

  test("once: by the entry that admits, every peer sees that the invite is used", () => {
    const judgement = judgeAdmissionRequest(request(), contextOf(log));
    if (!judgement.isAccepted) throw new Error(judgement.code);
    const statement = admissionStatement(judgement.request, { state: log.state(), nowSeconds: NOW, seconds: DAY });
    const entry: Entry = signedEntry(statement, { by: [ALICE, BOB] });
    const told = new RosterLog(EXAMPLE_GENESIS);
    expect(told.add(encodeEntry(entry), NOW).outcome).toBe("added");
    expect(codeOf(request(), contextOf(told))).toBe("ALREADY_MEMBER");
    expect(codeOf(request(INVITE, STRANGER), contextOf(told))).toBe("INVITE_USED");
    told.noteEquivocation(DAVE.peer);
    expect(codeOf(request(), contextOf(told))).toBe("BARRED");
    const revoked = signedEntry({ kind: "revoke", subject: CAROL.peer, reason: "left" });
    told.add(encodeEntry(revoked), NOW);
    expect(codeOf(request(inviteOf({ secret: new Uint8Array(16) }), CAROL), contextOf(told))).toBe("REMOVED");
  });

  test("twenty digits name who asks, in this network", () => {
    const digits = fingerprintOf(ROSTER_ID, DAVE.peer);
    expect(digits).toMatch(/^\d{4}( \d{4}){4}$/);
    expect(fingerprintOf(ROSTER_ID, STRANGER.peer)).not.toBe(digits);
    expect(fingerprintOf(other, DAVE.peer)).not.toBe(digits);
  });

  test("the answer is signed by an admin and names the request", () => {
    const judgement = judgeAdmissionRequest(request(), contextOf(log));
    const id = judgement.request!.id;
    const entry = encodeEntry(signedEntry({ kind: "admit", ...termsOf(DAVE.peer) }));
    const answers = [
      { code: "pending" },
      { code: "admitted", entry },
      { code: "denied", reason: "DECLINED" },
      { code: "denied", reason: "INVITE_USED" },
    ] as const;
    for (const answer of answers) {
      const bytes = signAdmissionReply(answer, { networkId: ROSTER_ID, request: id }, ALICE);
      expect(readAdmissionReply(bytes)).toEqual({ ...answer, networkId: ROSTER_ID, request: id, admin: ALICE.peer });
      const forged = bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1);
      expect(() => readAdmissionReply(forged)).toThrow(expect.objectContaining({ code: "SIGNATURE_INVALID" }));
    }
  });
});

describe("certificates", () => {
  const admitted = signedEntry({ kind: "admit", ...termsOf(DAVE.peer, "observer") });
  const log = (...entries: Entry[]) => {
    const one = new RosterLog(EXAMPLE_GENESIS);
    for (const entry of entries) one.add(encodeEntry(entry), NOW);
    return one;
  };
  const judged = (bytes: Uint8Array, of: RosterLog, { peer = DAVE.peer, at = NOW } = {}) => {
    const judgement = judgeCertificate(bytes, { state: of.state(), peer, nowSeconds: at });
    return judgement.isAccepted ? judgement.terms.role : judgement.code;
  };
  const bytes = encodeEntry(admitted);

  test("make a member for who has not heard of it; founders need none", () => {
    expect(certificateOf(log(admitted), DAVE.peer)).toEqual(bytes);
    expect(certificateOf(log(admitted), SELF.peer)).toBeUndefined();
    expect([judged(bytes, log()), judged(bytes, log(admitted))]).toEqual(["observer", "observer"]);
  });

  test("are refused when forged, of another, too few signed, expired, or overtaken by the roster", () => {
    const skew = LIMITS.clockSkewSeconds;
    const end = NOW + 30 * DAY + skew;
    const revoked = signedEntry({ kind: "revoke", subject: DAVE.peer, reason: "left" }, { parents: [admitted.id] });
    const shorter = { kind: "expire", ...termsOf(DAVE.peer, "observer"), notAfter: NOW + DAY } as const;
    const expired = signedEntry(shorter, { parents: [admitted.id] });
    const [a, b] = admitted.signatures;
    const barred = log();
    barred.noteEquivocation(DAVE.peer);
    const entry = (by: Signer[]) => encodeEntry(signedEntry({ kind: "admit", ...termsOf(DAVE.peer) }, { by }));
    expect([
      judged(bytes.subarray(1), log()),
      judged(encodeEntry(revoked), log()),
      judged(bytes, log(), { peer: parsePeerId(STRANGER.peer) }),
      judged(bytes, barred),
      judged(bytes, log(admitted, revoked)),
      judged(bytes, log(), { at: NOW - skew - 1 }),
      judged(bytes, log(), { at: end }),
      judged(bytes, log(), { at: end + 1 }),
      judged(bytes, log(admitted, expired), { at: NOW + DAY + skew + 1 }),
      judged(entry([SELF, CAROL]), log()),
      judged(entry([SELF]), log()),
      judged(encodeEntry({ ...admitted, signatures: [a!, a!] }), log()),
      judged(encodeEntry({ ...admitted, signatures: [a!, new Uint8Array(0)] }), log()),
      judged(encodeEntry({ ...admitted, signatures: [a!, b!] }), log()),
    ]).toEqual([
      "MALFORMED",
      "NOT_A_GRANT",
      "WRONG_PEER",
      "BARRED",
      "REMOVED",
      "NOT_YET",
      "observer",
      "EXPIRED",
      "EXPIRED",
      "BELOW_THRESHOLD",
      "BELOW_THRESHOLD",
      "SIGNATURE_INVALID",
      "BELOW_THRESHOLD",
      "observer",
    ]);
  });
});
