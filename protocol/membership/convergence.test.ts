/** Any order of delivery, and any two peers that have exchanged what they hold, give the same roster. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Signer } from "../envelope.ts";
import { EXAMPLE_GENESIS, NOW, signedEntry, termsOf } from "../vectors/example-roster.ts";
import { type Entry, encodeEntry, type Statement } from "./entry.ts";
import { opensslSigner, opensslVerify } from "./openssl.suite.ts";
import { decodeEntries, decodeInventory, encodeInventory, encodeMissing } from "./roster-exchange.ts";
import { RosterLog } from "./roster-log.ts";
import { adminsOf, type RosterState } from "./roster-state.ts";
import { POLICY_DEFAULTS } from "./settings.ts";

/** The founders of the example, three admins and a trainer, and three others. */
const [SELF, ALICE, BOB, CAROL, ...OTHERS] = [1, 2, 3, 5, 7, 8, 9].map(opensslSigner) as [
  Signer,
  Signer,
  Signer,
  Signer,
];
const PEERS: readonly Signer[] = [SELF, ALICE, BOB, CAROL, ...OTHERS];
const ROLES = ["trainer", "observer", "relay", "admin"] as const;

const newLog = () => new RosterLog(EXAMPLE_GENESIS, { verify: opensslVerify });

/** What somebody tries, in a branch that has heard of some of the entries before. */
const attempt = fc.record({
  kind: fc.constantFrom("admit", "admit", "promote", "revoke", "revoke", "policy", "rotate", "invited"),
  subject: fc.nat(PEERS.length - 1),
  other: fc.nat(PEERS.length - 1),
  role: fc.constantFrom(...ROLES, "admin" as const),
  // Mostly two or three of the founding admins; sometimes somebody who may have become one.
  by: fc.oneof(
    { weight: 5, arbitrary: fc.uniqueArray(fc.nat(2), { minLength: 2, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.uniqueArray(fc.nat(PEERS.length - 1), { minLength: 1, maxLength: 3 }) },
  ),
  heard: fc.integer({ min: 1, max: 7 }),
});
type Attempt = typeof attempt extends fc.Arbitrary<infer T> ? T : never;

/** The entries that a log let in, each with parents among those before it. */
function history(attempts: readonly Attempt[]): { readonly entries: readonly Entry[]; readonly log: RosterLog } {
  const log = newLog();
  const entries: Entry[] = [];
  attempts.forEach((one, i) => {
    const entry = signedEntry(statementOf(one), {
      parents: parentsOf(one, entries),
      by: signersOf(one),
      sequence: i,
      issuedAt: NOW,
    });
    if (log.add(encodeEntry(entry), NOW).outcome === "added") entries.push(entry);
  });
  return { entries, log };
}

function statementOf({ kind, subject, other, role }: Attempt): Statement {
  const terms = termsOf(PEERS[subject]!.peer, role);
  switch (kind) {
    case "revoke":
      return { kind, subject: terms.subject, reason: "other" };
    case "policy":
      return { kind, policy: { ...POLICY_DEFAULTS, threshold: 1 + (other % 3) } };
    case "rotate":
      return { kind, ...terms, replaces: PEERS[other === subject ? (other + 1) % PEERS.length : other]!.peer };
    case "invited":
      return { kind: "admit", ...terms, invite: { key: "cd".repeat(32), uses: 1 } };
    case "promote":
      return { kind, ...terms };
    default:
      return { kind: "admit", ...terms };
  }
}

function signersOf({ kind, subject, other, by }: Attempt): readonly Signer[] {
  const old = other === subject ? (other + 1) % PEERS.length : other;
  const numbers = kind === "rotate" ? [...by, subject, old] : by;
  return [...new Set(numbers)].map((n) => PEERS[n]!);
}

/** One or two of the last entries, bit by bit of `heard`; none: a branch from the genesis. */
function parentsOf({ heard }: Attempt, entries: readonly Entry[]) {
  return entries
    .toReversed()
    .slice(0, 3)
    .filter((_, i) => (heard >>> i) % 2 === 1)
    .map(({ id }) => id);
}

const stateAfter = (order: readonly Entry[]): RosterState => {
  const log = newLog();
  for (const entry of order) log.add(encodeEntry(entry), NOW);
  return log.state();
};

const attempts = fc.array(attempt, { minLength: 4, maxLength: 12 });

test("any order of delivery gives the same state", () => {
  let entered = 0;
  const losses = new Set<string>();
  fc.assert(
    fc.property(attempts, fc.infiniteStream(fc.nat()), (all, random) => {
      const { entries, log } = history(all);
      entered += entries.length;
      for (const { reason } of log.state().lost) losses.add(reason);
      const keyed = entries.map((entry) => ({ entry, key: random.next().value }));
      const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ entry }) => entry);
      expect(stateAfter(shuffled)).toEqual(log.state());
    }),
    { numRuns: 40, seed: 5 },
  );
  // The histories are worth shuffling: entries entered, and branches were in each other's way.
  expect(entered).toBeGreaterThan(100);
  expect([...losses]).toEqual(expect.arrayContaining(["SIGNERS_REMOVED", "REMOVAL_WINS", "OUTRANKED"]));
});

test("two peers with parts of a history agree after each gave the other what it lacked", () => {
  fc.assert(
    fc.property(attempts, fc.infiniteStream(fc.boolean()), (all, random) => {
      const { entries, log } = history(all);
      const [a, b] = [newLog(), newLog()];
      for (const entry of entries) (random.next().value ? a : b).add(encodeEntry(entry), NOW);
      for (const entry of entries) (random.next().value ? a : b).add(encodeEntry(entry), NOW);
      const tell = (from: RosterLog, to: RosterLog) => {
        const messages = encodeMissing(from, decodeInventory(encodeInventory(to)));
        for (const bytes of messages.flatMap(decodeEntries)) to.add(bytes, NOW);
      };
      // Until nothing more comes: what waited for an entry that the other had comes in with it.
      for (let before = -1; before !== a.state().entryCount + b.state().entryCount; ) {
        before = a.state().entryCount + b.state().entryCount;
        tell(a, b);
        tell(b, a);
      }
      expect(a.state()).toEqual(b.state());
      const waiting = [...a.missing(), ...b.missing()];
      if (waiting.length === 0) expect(a.state()).toEqual(log.state());
    }),
    { numRuns: 40, seed: 6 },
  );
});

test("a minority below the threshold changes nothing, whatever branch it signs on", () => {
  fc.assert(
    fc.property(attempts, fc.nat(2), (all, liar) => {
      const log = newLog();
      const before = log.state();
      all.forEach((one, i) => {
        const by = one.kind === "rotate" ? signersOf({ ...one, by: [liar] }).slice(0, 1) : [PEERS[liar]!];
        log.add(encodeEntry(signedEntry(statementOf(one), { by, sequence: i })), NOW);
      });
      expect(log.state()).toEqual(before);
    }),
    { numRuns: 40, seed: 7 },
  );
});

test("nothing that a revoked admin signs afterwards, in any branch, brings it back or admits anybody", () => {
  fc.assert(
    fc.property(attempts, (all) => {
      const revoked = signedEntry({ kind: "revoke", subject: BOB.peer, reason: "misconduct" }, { sequence: 1000 });
      const log = newLog();
      log.add(encodeEntry(revoked), NOW);
      // Bob can only find one more admin (Alice, fooled) for branches that ignore the revocation.
      all.forEach((one, i) => {
        if (one.kind === "revoke" || one.kind === "rotate") return;
        log.add(encodeEntry(signedEntry(statementOf(one), { by: [BOB, ALICE], sequence: i })), NOW);
      });
      const state = log.state();
      expect(adminsOf(state, NOW)).toEqual([SELF.peer, ALICE.peer].sort());
      expect([...state.members.keys()].sort()).toEqual([SELF.peer, ALICE.peer, CAROL.peer].sort());
      expect(state.members.get(CAROL.peer)?.role).toBe("trainer");
      expect(state.policy.threshold).toBe(2);
    }),
    { numRuns: 40, seed: 8 },
  );
});
