/** What a roster lets in, and what its entries amount to. */
import { describe, expect, test } from "vitest";
import { createSigner, type Signer } from "../envelope.ts";
import { LIMITS } from "../limits.ts";
import { ALICE, BOB, exampleSecretKey, SELF, STRANGER } from "../vectors/example-network.ts";
import {
  CAROL,
  DAVE,
  DAY,
  type Drawn,
  EXAMPLE_GENESIS,
  NOW,
  ROSTER_MANIFEST,
  signedEntry,
  termsOf,
} from "../vectors/example-roster.ts";
import { createEntry, type Entry, type EntryId, encodeEntry, type Statement } from "./entry.ts";
import { createGenesis, signGenesis } from "./genesis.ts";
import { RosterLog } from "./roster-log.ts";
import { adminsOf, isMember, keepsEarlierUpdates, roleOf } from "./roster-state.ts";

const admit = (peer: Signer, role: "trainer" | "observer" | "relay" | "admin" = "trainer"): Statement => ({
  kind: "admit",
  ...termsOf(peer.peer, role),
});
const revoke = (peer: Signer): Statement => ({ kind: "revoke", subject: peer.peer, reason: "other" });
const following = (...entries: Entry[]) => ({ parents: entries.map(({ id }) => id) });
const offer = (log: RosterLog, ...entries: Entry[]) => entries.map((entry) => log.add(encodeEntry(entry), NOW));
const outcome = (log: RosterLog, entry: Entry): string => {
  const result = log.add(encodeEntry(entry), NOW);
  return result.outcome === "refused" ? result.code : result.outcome;
};
const logOf = (...entries: Entry[]): RosterLog => {
  const log = new RosterLog(EXAMPLE_GENESIS);
  for (const result of offer(log, ...entries)) expect(result.outcome).toBe("added");
  return log;
};
const FRANK = createSigner(exampleSecretKey(7));

test("the founders are members from the beginning, by the genesis alone", () => {
  const state = logOf().state();
  expect(adminsOf(state, NOW)).toEqual([SELF.peer, ALICE.peer, BOB.peer].sort());
  expect(roleOf(state, CAROL.peer, NOW)).toBe("trainer");
  expect(isMember(state, DAVE.peer, NOW)).toBe(false);
});

test("a genesis with too few signatures, or of an open network, begins no roster", () => {
  const invalid = expect.objectContaining({ code: "GENESIS_INVALID" });
  const { membership: _, ...open } = ROSTER_MANIFEST;
  expect(() => new RosterLog(signGenesis(createGenesis(ROSTER_MANIFEST), ALICE))).toThrow(invalid);
  expect(() => new RosterLog(createGenesis(open))).toThrow(invalid);
});

test("a roster that is full of admissions takes removals, policies and expiries still", () => {
  const log = new RosterLog(EXAMPLE_GENESIS, { entryCountMax: 16 });
  const peers = Array.from({ length: 16 }, (_, i) => createSigner(exampleSecretKey(100 + i)));
  const codes = peers.map((peer) => outcome(log, signedEntry(admit(peer))));
  expect(codes).toEqual([...Array(15).fill("added"), "FULL"]);
  expect(outcome(log, signedEntry({ ...admit(peers[0]!, "observer"), kind: "promote" } as Statement))).toBe("FULL");
  expect(outcome(log, signedEntry(revoke(peers[0]!)))).toBe("added");
  expect(log.state().removed.has(peers[0]!.peer)).toBe(true);
  expect(outcome(log, signedEntry(revoke(peers[1]!)))).toBe("FULL");
});

describe("entries that may not enter", () => {
  const first = signedEntry(admit(DAVE));
  const rows: readonly (readonly [string, Statement, Drawn])[] = [
    ["BELOW_THRESHOLD", admit(FRANK), { by: [SELF] }],
    ["NOT_AN_ADMIN", admit(FRANK), { by: [SELF, ALICE, CAROL] }],
    ["NOT_AN_ADMIN", admit(FRANK), { by: [SELF, STRANGER] }],
    ["TIME_BACKWARDS", admit(FRANK), { ...following(first), issuedAt: NOW - 1 }],
    ["EARLY", admit(FRANK), { issuedAt: NOW + LIMITS.clockSkewSeconds + 1 }],
    ["TERMS_TOO_LONG", { ...admit(FRANK), notAfter: NOW + 91 * DAY } as Statement, {}],
    ["NOT_A_MEMBER", { kind: "promote", ...termsOf(FRANK.peer) }, {}],
    ["NOT_A_MEMBER", { kind: "promote", ...termsOf(DAVE.peer) }, {}],
    ["TERMS_DIFFER", { kind: "expire", ...termsOf(DAVE.peer, "observer") }, following(first)],
    ["TERMS_DIFFER", { kind: "expire", ...termsOf(DAVE.peer), notAfter: NOW + 31 * DAY }, following(first)],
    ["UNSIGNED", { kind: "rotate", ...termsOf(FRANK.peer), replaces: DAVE.peer }, following(first)],
    [
      "TERMS_DIFFER",
      { kind: "rotate", ...termsOf(FRANK.peer, "admin"), replaces: DAVE.peer },
      { ...following(first), by: [SELF, ALICE, DAVE, FRANK] },
    ],
    [
      "KEY_USED",
      { kind: "rotate", ...termsOf(CAROL.peer), replaces: DAVE.peer },
      { ...following(first), by: [SELF, ALICE, DAVE, CAROL] },
    ],
    [
      "THRESHOLD_UNREACHABLE",
      {
        kind: "policy",
        policy: {
          threshold: 4,
          approval: "person",
          earlierUpdates: "keep",
          equivocation: "bar",
          certificateSeconds: 60,
        },
      },
      {},
    ],
  ];

  test.each(rows)("%s", (code, statement, drawn) => {
    const log = logOf(first);
    const before = log.state();
    expect(outcome(log, signedEntry(statement, drawn))).toBe(code);
    expect(log.state()).toBe(before);
  });

  test("SIGNATURE_INVALID, UNSIGNED, MALFORMED: signatures that are wrong, missing or cut", () => {
    const signed = signedEntry(admit(DAVE));
    const [a, b] = signed.signatures;
    const with_ = (...signatures: Uint8Array[]) => ({ ...signed, signatures });
    expect(outcome(logOf(), with_(b!, a!))).toBe("SIGNATURE_INVALID");
    expect(outcome(logOf(), with_(a!, new Uint8Array(0)))).toBe("UNSIGNED");
    expect(outcome(logOf(), with_(a!))).toBe("MALFORMED");
    expect(outcome(logOf(), with_(a!, b!.subarray(1)))).toBe("MALFORMED");
  });

  test("NETWORK_MISMATCH: an entry of another network", () => {
    const other = signGenesis(signGenesis(createGenesis({ ...ROSTER_MANIFEST, name: "other" }), SELF), BOB);
    expect(outcome(new RosterLog(other), first)).toBe("NETWORK_MISMATCH");
  });
});

test("admitted, promoted, shortened, revoked, admitted again", () => {
  const admitted = signedEntry(admit(DAVE));
  const promoted = signedEntry({ kind: "promote", ...termsOf(DAVE.peer, "admin") }, following(admitted));
  const shorter: Statement = { kind: "expire", ...termsOf(DAVE.peer, "admin"), notAfter: NOW + DAY };
  const expired = signedEntry(shorter, { ...following(promoted), by: [DAVE, SELF] });
  const revoked = signedEntry(revoke(DAVE), following(expired));
  const again = signedEntry(admit(DAVE, "relay"), following(revoked));
  const log = logOf(admitted);
  const role = (at = NOW) => roleOf(log.state(), DAVE.peer, at);
  expect(role()).toBe("trainer");
  offer(log, promoted);
  expect(role()).toBe("admin");
  offer(log, expired);
  expect([role(NOW + DAY + LIMITS.clockSkewSeconds), role(NOW + DAY + LIMITS.clockSkewSeconds + 1)]).toEqual([
    "admin",
    undefined,
  ]);
  offer(log, revoked);
  expect(role()).toBeUndefined();
  expect(log.state().removed.get(DAVE.peer)).toMatchObject({ entry: revoked.id, reason: "other" });
  expect(keepsEarlierUpdates(log.state(), DAVE.peer)).toBe(false);
  offer(log, again);
  expect(role()).toBe("relay");
  expect(log.state().lost).toEqual([]);
});

test("a membership begins and ends within the clock skew", () => {
  const state = logOf(signedEntry(admit(DAVE))).state();
  const skew = LIMITS.clockSkewSeconds;
  const times = [NOW - skew - 1, NOW - skew, NOW + 30 * DAY + skew, NOW + 30 * DAY + skew + 1];
  expect(times.map((at) => isMember(state, DAVE.peer, at))).toEqual([false, true, true, false]);
});

describe("branches that had not heard of each other", () => {
  test("two admissions by different admins are both kept", () => {
    const log = logOf(signedEntry(admit(DAVE)), signedEntry(admit(FRANK), { by: [BOB, ALICE] }));
    expect([DAVE, FRANK].map(({ peer }) => roleOf(log.state(), peer, NOW))).toEqual(["trainer", "trainer"]);
    expect(log.state()).toMatchObject({ lost: [], heads: expect.objectContaining({ length: 2 }) });
  });

  test("revocation wins over a concurrent promotion, which is reported", () => {
    const admitted = signedEntry(admit(DAVE));
    const promoted = signedEntry({ kind: "promote", ...termsOf(DAVE.peer, "admin") }, following(admitted));
    const revoked = signedEntry(revoke(DAVE), { ...following(admitted), by: [BOB, ALICE] });
    const { members, lost } = logOf(admitted, promoted, revoked).state();
    expect(members.has(DAVE.peer)).toBe(false);
    expect(lost.map(({ id, reason }) => [id, reason])).toEqual(expect.arrayContaining([[promoted.id, "REMOVAL_WINS"]]));
  });

  test("of two roles the one with fewer rights wins", () => {
    const admitted = signedEntry(admit(DAVE));
    const up = signedEntry({ kind: "promote", ...termsOf(DAVE.peer, "admin") }, following(admitted));
    const down = signedEntry({ kind: "promote", ...termsOf(DAVE.peer, "observer") }, following(admitted));
    const { members, lost } = logOf(admitted, up, down).state();
    expect(members.get(DAVE.peer)?.role).toBe("observer");
    expect(lost).toEqual([{ id: up.id, kind: "promote", reason: "OUTRANKED" }]);
  });

  test("what a revoked admin signed in a branch of its own does not count, nor what that brought about", () => {
    const revoked = signedEntry(revoke(BOB));
    const sybil = signedEntry(admit(DAVE, "admin"), { by: [BOB, ALICE] });
    const heir = signedEntry(admit(FRANK), { ...following(sybil), by: [DAVE, BOB] });
    const log = logOf(sybil, heir);
    expect(roleOf(log.state(), FRANK.peer, NOW)).toBe("trainer");
    offer(log, revoked);
    expect([DAVE, FRANK, BOB].map(({ peer }) => isMember(log.state(), peer, NOW))).toEqual([false, false, false]);
    expect(log.state().lost.map(({ id, reason }) => [id, reason])).toEqual([
      [sybil.id, "SIGNERS_REMOVED"],
      [heir.id, "SIGNERS_REMOVED"],
    ]);
  });

  test("what an admin signed before its revocation stays", () => {
    const admitted = signedEntry(admit(DAVE), { by: [BOB, ALICE] });
    const log = logOf(admitted, signedEntry(revoke(BOB), following(admitted)));
    expect(isMember(log.state(), DAVE.peer, NOW)).toBe(true);
  });

  test("admins who revoke each other are both out", () => {
    const a = signedEntry(revoke(BOB), { by: [SELF, ALICE] });
    const b = signedEntry(revoke(ALICE), { by: [SELF, BOB] });
    expect(adminsOf(logOf(a, b).state(), NOW)).toEqual([SELF.peer]);
  });

  test("an invite for one admits one of two, the same one everywhere", () => {
    const invite = { key: "ab".repeat(32), uses: 1 };
    const by = (peer: Signer) => signedEntry({ ...admit(peer), invite } as Statement);
    const [dave, frank] = [by(DAVE), by(FRANK)];
    const [one, other] = [logOf(dave, frank), logOf(frank, dave)];
    const admitted = [DAVE, FRANK].filter(({ peer }) => isMember(one.state(), peer, NOW));
    expect(admitted.length).toBe(1);
    expect(other.state()).toEqual(one.state());
    expect(one.state().lost).toEqual([{ id: expect.any(String), kind: "admit", reason: "INVITE_USED" }]);
    const third = signedEntry({ ...admit(STRANGER), invite } as Statement, following(dave));
    expect(outcome(one, third)).toBe("INVITE_USED");
    expect(one.usesOf(invite.key, STRANGER.peer)).toBe(1);
  });
});

describe("a new key for a member", () => {
  const rotate = (old: Signer, next: Signer, role: "trainer" | "admin", drawn: Drawn = {}) =>
    signedEntry(
      { kind: "rotate", ...termsOf(next.peer, role), replaces: old.peer },
      { by: [SELF, ALICE, old, next].filter((one, i, all) => all.indexOf(one) === i), ...drawn },
    );

  test("takes the old one's place", () => {
    const log = logOf(rotate(CAROL, FRANK, "trainer"));
    expect([CAROL, FRANK].map(({ peer }) => roleOf(log.state(), peer, NOW))).toEqual([undefined, "trainer"]);
    expect(log.state().removed.get(CAROL.peer)).toMatchObject({ reason: "rotated", successor: FRANK.peer });
    expect(keepsEarlierUpdates(log.state(), CAROL.peer)).toBe(true);
  });

  test("of an admin signs from then on, and the old one no more", () => {
    const rotated = rotate(ALICE, FRANK, "admin");
    const log = logOf(rotated);
    expect(outcome(log, signedEntry(admit(DAVE), { ...following(rotated), by: [SELF, ALICE] }))).toBe("NOT_AN_ADMIN");
    expect(outcome(log, signedEntry(admit(DAVE), { ...following(rotated), by: [SELF, FRANK] }))).toBe("added");
  });

  test("falls with a concurrent revocation of the old one, and two new keys for one fall together", () => {
    const log = logOf(rotate(CAROL, FRANK, "trainer"), signedEntry(revoke(CAROL)));
    expect([CAROL, FRANK].map(({ peer }) => isMember(log.state(), peer, NOW))).toEqual([false, false]);
    const two = logOf(rotate(CAROL, FRANK, "trainer"), rotate(CAROL, DAVE, "trainer"));
    expect([CAROL, FRANK, DAVE].map(({ peer }) => isMember(two.state(), peer, NOW))).toEqual([false, false, false]);
  });
});

test("a policy changes the threshold for what follows it; of two at once the stricter one holds", () => {
  const policy = (threshold: number): Statement => ({
    kind: "policy",
    policy: {
      threshold,
      approval: "invite",
      earlierUpdates: "keep",
      equivocation: "report",
      certificateSeconds: 40 * DAY,
    },
  });
  const strict = signedEntry(policy(3));
  const log = logOf(strict);
  expect(outcome(log, signedEntry(admit(DAVE), following(strict)))).toBe("BELOW_THRESHOLD");
  expect(outcome(log, signedEntry(admit(DAVE), { ...following(strict), by: [SELF, ALICE, BOB] }))).toBe("added");
  const loose = signedEntry(policy(1), { by: [BOB, ALICE] });
  offer(log, loose);
  expect(log.state().policy.threshold).toBe(3);
  expect(log.state().lost).toEqual([{ id: loose.id, kind: "policy", reason: "OUTRANKED" }]);
});

test("a succession names the next network; of two at once the earlier one holds", () => {
  const succeed = (round: number, digit: string): Statement => ({
    kind: "succeed",
    successor: digit.repeat(64) as never,
    round,
  });
  const late = signedEntry(succeed(9, "a"));
  const early = signedEntry(succeed(8, "b"));
  expect(logOf(late, early).state().succession).toEqual({ entry: early.id, network: "b".repeat(64), round: 8 });
});

test("who is proven to have equivocated is barred where the policy says so", () => {
  const log = logOf();
  log.noteEquivocation(CAROL.peer);
  expect(isMember(log.state(), CAROL.peer, NOW)).toBe(false);
  expect(keepsEarlierUpdates(log.state(), CAROL.peer)).toBe(false);
  const two = logOf(signedEntry(admit(DAVE), { sequence: 4 }), signedEntry(admit(FRANK), { sequence: 4 }));
  expect([...two.state().barred]).toEqual([SELF.peer]);
  expect(two.entriesBy(SELF.peer, 4)).toHaveLength(2);
});

test("entries wait for those before them, and come in as soon as these do", () => {
  const a = signedEntry(admit(DAVE), { sequence: 6 });
  const b = signedEntry(admit(FRANK), { ...following(a), sequence: 0 });
  const log = logOf();
  expect(log.add(encodeEntry(b), NOW)).toMatchObject({ outcome: "pending", missing: [a.id] });
  expect(log.missing()).toEqual([a.id]);
  expect(log.add(encodeEntry(a), NOW)).toMatchObject({ outcome: "added", alsoAdded: [{ id: b.id }] });
  expect(log.add(encodeEntry(a), NOW)).toMatchObject({ outcome: "known" });
  expect(log.missing()).toEqual([]);
  expect(log.nextParents()).toEqual([b.id]);
  expect([log.nextSequence(SELF.peer), log.nextSequence(BOB.peer)]).toEqual([7, 0]);
});

test("an entry of a member that waits keeps its place, whatever strangers have others wait for", () => {
  const log = logOf();
  const a = signedEntry(admit(DAVE), { sequence: 6 });
  const b = signedEntry(admit(FRANK), { ...following(a), sequence: 0 });
  expect(log.add(encodeEntry(b), NOW).outcome).toBe("pending");
  for (let i = 0; i < LIMITS.rosterPendingCountMax + 8; i++) {
    const parents = [(1000 + i).toString(16).padStart(64, "0") as EntryId];
    const [author, signers] = [STRANGER.peer, [STRANGER.peer]];
    const entry = createEntry({ ...b, parents, author, signers, sequence: i });
    expect(log.add(encodeEntry(entry), NOW).outcome).toBe("pending");
  }
  expect(log.isWaiting(b.id)).toBe(true);
  expect(log.add(encodeEntry(a), NOW)).toMatchObject({ outcome: "added", alsoAdded: [{ id: b.id }] });
});
