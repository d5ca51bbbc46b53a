/** What a quorum of former days can still do, and why no order among policies by their signers ends it (docs/decisions/0008). */
import { describe, expect, test } from "vitest";
import { createSigner, type Signer } from "../envelope.ts";
import { LIMITS } from "../limits.ts";
import { networkId } from "../network-manifest.ts";
import type { PeerId } from "../peer-id.ts";
import { exampleSecretKey } from "../vectors/example-network.ts";
import { DAY, NOW, ROSTER_MANIFEST } from "../vectors/example-roster.ts";
import { createEntry, type Entry, encodeEntry, type Statement, signEntry, statementDigest } from "./entry.ts";
import { createGenesis, signGenesis } from "./genesis.ts";
import { RosterLog } from "./roster-log.ts";
import { adminsOf } from "./roster-state.ts";
import { POLICY_DEFAULTS } from "./settings.ts";

const keyOf = (n: number): Signer => createSigner(exampleSecretKey(n));
/** A founder who may act alone, as in a network that was made with the threshold 1. */
const FOUNDER = keyOf(40);
const SECOND = keyOf(41);
const THIRD = keyOf(42);
const manifest = {
  ...ROSTER_MANIFEST,
  membership: {
    kind: "roster",
    founders: [{ peer: FOUNDER.peer, role: "admin" }],
    threshold: 1,
    policy: POLICY_DEFAULTS,
  },
} as const;
const genesis = signGenesis(createGenesis(manifest), FOUNDER);

function entry(statement: Statement, by: readonly Signer[], parents: readonly Entry[] = []): Entry {
  const bare = createEntry({
    networkId: networkId(manifest),
    parents: parents.map(({ id }) => id),
    author: by[0]!.peer,
    signers: by.map(({ peer }) => peer),
    sequence: Number.parseInt(statementDigest(statement).slice(0, 6), 16),
    issuedAt: NOW,
    statement,
  });
  return by.reduce(signEntry, bare);
}

/** A roster of these entries, each of which enters. */
function logOf(...entries: readonly Entry[]): RosterLog {
  const log = new RosterLog(genesis);
  for (const one of entries) expect(log.add(encodeEntry(one), NOW)).toMatchObject({ outcome: "added" });
  return log;
}

const terms = (peer: PeerId) => ({ subject: peer, role: "admin", notBefore: NOW, notAfter: NOW + 30 * DAY }) as const;
const admit = (peer: Signer, by: readonly Signer[], parents: readonly Entry[] = []): Entry =>
  entry({ kind: "admit", ...terms(peer.peer) }, by, parents);
const policy = (threshold: number, by: readonly Signer[], parents: readonly Entry[], days = 90): Entry =>
  entry({ kind: "policy", policy: { ...POLICY_DEFAULTS, threshold, certificateSeconds: days * DAY } }, by, parents);
const revoke = (peer: Signer, by: readonly Signer[], parents: readonly Entry[] = []): Entry =>
  entry({ kind: "revoke", subject: peer.peer, reason: "other" }, by, parents);
/** Signers of an entry who were admins by these entries. */
const signersAmong = ({ signers }: Entry, common: readonly Entry[]): number => {
  const admins = adminsOf(logOf(...common).state(), NOW);
  return signers.filter((peer) => admins.includes(peer)).length;
};

const second = admit(SECOND, [FOUNDER]);
/** The founder and the second admin agree that one is not enough. */
const raised = policy(2, [FOUNDER, SECOND], [second]);

describe("who could act alone in former days", () => {
  test("promotes as many keys of its own as a policy may have signers, and has more of them sign than any other policy had", () => {
    const own = Array.from({ length: LIMITS.signatureCountMax - 1 }, (_, i) => keyOf(100 + i));
    const admitted: Entry[] = [];
    for (const key of own) admitted.push(admit(key, [FOUNDER], admitted.slice(-1)));
    const its = policy(own.length, [FOUNDER, ...own], admitted.slice(-1));
    expect(its.signers).toHaveLength(LIMITS.signatureCountMax);
    const log = logOf(second, raised, ...admitted, its);
    expect(log.state().policy.threshold).toBe(own.length);
    // All of its branch that one key signed is shown, and what the others agreed to is below its threshold in turn.
    expect([...log.signedByFewer().keys()].sort()).toEqual([second, raised, ...admitted].map(({ id }) => id).sort());
  });

  test("is as strong as the others by the signers of the common past, where it signed on both branches", () => {
    const its = policy(1, [FOUNDER], [], 30);
    logOf(second, raised, its);
    expect([raised, its].map((one) => signersAmong(one, []))).toEqual([1, 1]);
  });

  test("has the only signer of the common past, where the admins that raised the threshold all came later", () => {
    const third = admit(THIRD, [SECOND], [second]);
    const byLater = policy(2, [SECOND, THIRD], [third]);
    const its = policy(1, [FOUNDER], [], 30);
    logOf(second, third, byLater, its);
    expect([byLater, its].map((one) => signersAmong(one, []))).toEqual([0, 1]);
  });

  test("removes everybody else, and no order among policies changes that", () => {
    const log = logOf(second, raised, revoke(SECOND, [FOUNDER]));
    expect([...log.state().members.keys()]).toEqual([FOUNDER.peer]);
  });

  test("can do nothing but remove, once it is removed", () => {
    const third = admit(THIRD, [FOUNDER, SECOND], [raised]);
    const without = revoke(FOUNDER, [SECOND, THIRD], [third]);
    const own = admit(keyOf(100), [FOUNDER]);
    const its = policy(1, [FOUNDER, keyOf(100)], [own], 30);
    const removal = revoke(THIRD, [FOUNDER]);
    const state = logOf(second, raised, third, without, own, its, removal).state();
    expect([...state.members.keys()]).toEqual([SECOND.peer]);
    expect(state.policy.threshold).toBe(2);
    expect(state.lost.map(({ id, reason }) => [id, reason])).toEqual(
      expect.arrayContaining([
        [own.id, "SIGNERS_REMOVED"],
        [its.id, "SIGNERS_REMOVED"],
      ]),
    );
  });
});

test("a rotation ends what its old key signs alone on a branch of before, as a removal does", () => {
  const newKey = keyOf(50);
  const rotated = entry(
    { kind: "rotate", ...terms(newKey.peer), notAfter: NOW + 10 * DAY, replaces: FOUNDER.peer },
    [FOUNDER, newKey, SECOND],
    [raised],
  );
  const own = admit(keyOf(100), [FOUNDER]);
  const state = logOf(second, raised, rotated, own).state();
  expect([...state.members.keys()].sort()).toEqual([SECOND.peer, newKey.peer].sort());
});

test("three policies may each have more signers of the common past than the next one", () => {
  const keys = { ab: keyOf(201), bc: keyOf(202), ca: keyOf(203) };
  const [ab, bc, ca] = [admit(keys.ab, [FOUNDER]), admit(keys.bc, [FOUNDER]), admit(keys.ca, [FOUNDER])];
  const byName = (...entries: Entry[]): Entry[] => entries.sort((x, y) => (x.id < y.id ? -1 : 1));
  const a = policy(1, [FOUNDER, keys.ab], byName(ab, ca), 10);
  const b = policy(1, [FOUNDER, keys.bc], byName(ab, bc), 20);
  const c = policy(1, [FOUNDER, keys.ca], byName(bc, ca), 30);
  logOf(ab, bc, ca, a, b, c);
  const compared = [
    { of: a, with: b, common: [ab] },
    { of: b, with: c, common: [bc] },
    { of: c, with: a, common: [ca] },
  ].map(({ of, with: other, common }) => [signersAmong(of, common), signersAmong(other, common)]);
  expect(compared).toEqual([
    [2, 1],
    [2, 1],
    [2, 1],
  ]);
});

test("a removal that had not heard of a higher threshold stands today, and would fall if fewer signers than that were too few", () => {
  const third = admit(THIRD, [FOUNDER, SECOND], [raised]);
  // The founder learns of a stolen key, and removes it where the policy has not come yet.
  const removal = revoke(SECOND, [FOUNDER], [second]);
  const log = logOf(second, raised, third, removal);
  expect(log.state().removed.has(SECOND.peer)).toBe(true);
  expect(log.signedByFewer().get(removal.id)).toBe(2);
});
