/** What the end of a key would undo, and what could enter, before anything is signed. */
import { describe, expect, test, vi } from "vitest";
import { createSigner, type Signer } from "../envelope.ts";
import { ALICE, BOB, exampleSecretKey, SELF } from "../vectors/example-network.ts";
import { CAROL, DAVE, DAY, EXAMPLE_GENESIS, NOW, ROSTER_ID, signedEntry, termsOf } from "../vectors/example-roster.ts";
import { createEntry, type Entry, type EntryId, encodeEntry, type Statement } from "./entry.ts";
import { RosterLog } from "./roster-log.ts";
import { RosterView } from "./roster-view.ts";
import { POLICY_DEFAULTS } from "./settings.ts";

const FRANK = createSigner(exampleSecretKey(7));
const admit = (peer: Signer, role: "trainer" | "admin" = "trainer"): Statement => ({
  kind: "admit",
  ...termsOf(peer.peer, role),
});
const revoke = (peer: Signer): Statement => ({ kind: "revoke", subject: peer.peer, reason: "other" });
const logOf = (...entries: Entry[]): RosterLog => {
  const log = new RosterLog(EXAMPLE_GENESIS);
  for (const entry of entries) expect(log.add(encodeEntry(entry), NOW).outcome).toBe("added");
  return log;
};
const idsOf = (entries: readonly (Entry | { readonly entry: Entry })[]): readonly EntryId[] =>
  entries.map((one) => ("entry" in one ? one.entry.id : one.id)).sort();
const NOWHERE = "ab".repeat(32) as EntryId;

describe("the end of an admin's key", () => {
  const byBob = signedEntry(admit(DAVE), { by: [BOB, ALICE] });
  const byThree = signedEntry(admit(FRANK), { by: [BOB, ALICE, SELF] });
  const policy = signedEntry({ kind: "policy", policy: { ...POLICY_DEFAULTS, threshold: 1 } }, { by: [SELF, BOB] });
  const byOthers = signedEntry({ ...admit(CAROL), kind: "promote" } as Statement);
  const removal = signedEntry(revoke(CAROL), { by: [BOB, ALICE], parents: [byOthers.id] });
  const all = [byBob, byThree, policy, byOthers, removal];

  test("undoes what it had not heard of and what needs that signature, policies too; never a removal", () => {
    const log = logOf(...all);
    expect(idsOf(log.undoneBy(BOB.peer, []))).toEqual(idsOf([byBob, policy]));
    expect(idsOf(log.undoneBy(BOB.peer, [policy.id]))).toEqual([byBob.id]);
    expect(log.undoneBy(BOB.peer, log.nextParents())).toEqual([]);
    const places = log.undoneBy(BOB.peer, []).map(({ place }) => place);
    expect([places, log.entryCount]).toEqual([[0, 2], 5]);
    expect(log.undoneBy(DAVE.peer, [])).toEqual([]);
    expect(log.undoneBy(BOB.peer, [NOWHERE])).toEqual([]);
  });

  test("undoes just that when it comes", () => {
    const log = logOf(...all);
    for (const parents of [[], [policy.id], [byBob.id]]) {
      const undone = log.undoneBy(BOB.peer, parents);
      const after = logOf(...all, signedEntry(revoke(BOB), { parents }));
      const isLost = ({ id }: Entry): boolean => after.state().lost.some((one) => one.id === id);
      expect(idsOf(all.filter(isLost)), `${parents.length}`).toEqual(idsOf(undone));
    }
  });

  test("undoes nothing twice, and counts no signature of who is out by then", () => {
    const log = logOf(...all, signedEntry(revoke(BOB)));
    expect(log.undoneBy(BOB.peer, [])).toEqual([]);
    // Of its three signers one is out; without another one they are too few.
    expect(idsOf(log.undoneBy(ALICE.peer, []))).toContain(byThree.id);
    expect(idsOf(logOf(...all).undoneBy(ALICE.peer, []))).not.toContain(byThree.id);
  });

  test("undoes the key that took its place, and nothing that this one signed only as the new key", () => {
    const rotated: Statement = { ...termsOf(FRANK.peer, "admin"), kind: "rotate", replaces: BOB.peer };
    const rotation = signedEntry(rotated, { by: [BOB, FRANK, ALICE, SELF] });
    const log = logOf(rotation);
    expect(idsOf(log.undoneBy(BOB.peer, []))).toEqual([rotation.id]);
    expect(log.undoneBy(FRANK.peer, [])).toEqual([]);
    expect(log.undoneBy(BOB.peer, [rotation.id])).toEqual([]);
  });
});

describe("an entry that waits for signatures", () => {
  const unsigned = (entry: Entry): Entry => ({ ...entry, signatures: entry.signatures.map(() => new Uint8Array(0)) });
  const first = signedEntry(admit(DAVE));

  test("may enter where it would with all of them", () => {
    const log = logOf(first);
    for (const parents of [[], [first.id]]) {
      expect(log.mayEnter(unsigned(signedEntry(admit(FRANK), { parents })))).toBe(true);
    }
  });

  test.each([
    ["an entry is missing that it follows", signedEntry(admit(FRANK), { parents: [NOWHERE] })],
    ["too few are to sign it", signedEntry(admit(FRANK), { by: [SELF] })],
    ["somebody is to sign it who is no admin", signedEntry(admit(FRANK), { by: [SELF, ALICE, CAROL] })],
    ["it is older than what it follows", signedEntry(admit(FRANK), { parents: [first.id], issuedAt: NOW - 1 })],
    ["it grants too much", signedEntry({ ...admit(FRANK), notAfter: NOW + 91 * DAY } as Statement)],
    ["it is of another network", { ...signedEntry(admit(FRANK)), networkId: "cd".repeat(32) as Entry["networkId"] }],
  ])("may not enter where %s", (_, entry) => {
    expect(logOf(first).mayEnter(unsigned(entry))).toBe(false);
  });
});

test("what each entry comes to is found once, however often drafts are looked at", () => {
  const log = new RosterLog(EXAMPLE_GENESIS, { verify: () => true });
  let parents: readonly EntryId[] = [];
  const subjects = [CAROL, DAVE, FRANK];
  for (let n = 0; n < 30; n++) {
    const unsigned = createEntry({
      ...{ networkId: ROSTER_ID, parents, author: SELF.peer, signers: [SELF.peer, ALICE.peer], sequence: n },
      ...{ issuedAt: NOW, statement: admit(subjects[n % 3]!, n % 5 === 0 ? "admin" : "trainer") },
    });
    // Signatures are not what is measured.
    const entry = { ...unsigned, signatures: unsigned.signers.map(() => new Uint8Array(64).fill(1)) };
    expect(log.add(encodeEntry(entry), NOW).outcome).toBe("added");
    parents = [entry.id];
  }
  const judged = vi.spyOn(RosterView.prototype, "isAdminAt");
  log.undoneBy(SELF.peer, []);
  const once = judged.mock.calls.length;
  // As for the drafts of an admin who has as many as it may, and for requests that wait.
  for (let n = 0; n < 32; n++) log.undoneBy(SELF.peer, []);
  log.usesOf("cd".repeat(32), DAVE.peer);
  expect([once > 0, judged.mock.calls.length]).toEqual([true, once]);
  judged.mockRestore();
  const withMore = signedEntry(revoke(CAROL), { parents });
  log.add(encodeEntry(withMore), NOW);
  expect(log.undoneBy(ALICE.peer, parents)).toEqual([]);
  expect(log.undoneBy(ALICE.peer, [])).toHaveLength(30);
});
