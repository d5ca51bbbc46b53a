/** Genesis, roles, equivocation, succession: what each of them lets pass and what it refuses. */
import { describe, expect, test } from "vitest";
import { signAnnouncement } from "../announcement.ts";
import { contentIdOf } from "../content-id.ts";
import { networkId, parseManifest } from "../network-manifest.ts";
import {
  ALICE,
  BOB,
  EXAMPLE_CONTEXT,
  EXAMPLE_MANIFEST,
  SELF,
  SOME_CONTENT_ID,
  STRANGER,
} from "../vectors/example-network.ts";
import {
  CAROL,
  DAVE,
  EXAMPLE_GENESIS,
  NOW,
  ROSTER_ID,
  ROSTER_MANIFEST,
  signedEntry,
  termsOf,
} from "../vectors/example-roster.ts";
import { judgeAnnouncement } from "../verdict.ts";
import { encodeEntry } from "./entry.ts";
import { checkEquivocation, createEquivocationProof } from "./equivocation.ts";
import {
  canonicalGenesisBytes,
  createGenesis,
  genesisFromBytes,
  genesisStatus,
  parseGenesis,
  signGenesis,
} from "./genesis.ts";
import { mayFetch, mayForward, mayGovern, maySend, ROLES } from "./roles.ts";
import { RosterLog } from "./roster-log.ts";
import { judgeMembership } from "./roster-state.ts";
import { describeMembership } from "./settings.ts";
import { isAgreedSuccessor, succeedingManifest, successionStatement } from "./succession.ts";

const code = (expected: string) => expect.objectContaining({ code: expected });

describe("genesis", () => {
  test("is valid when the threshold of admins has signed, in any order", () => {
    const one = signGenesis(createGenesis(ROSTER_MANIFEST), ALICE);
    expect(genesisStatus(one)).toMatchObject({ isValid: false, signed: [ALICE.peer], threshold: 2 });
    expect(genesisStatus(signGenesis(one, CAROL))).toMatchObject({ isValid: false });
    const both = signGenesis(one, SELF);
    expect(genesisStatus(both)).toMatchObject({ isValid: true, missing: [BOB.peer] });
    expect(both).toEqual(EXAMPLE_GENESIS);
    expect(signGenesis(both, SELF)).toEqual(both);
    expect(() => signGenesis(both, STRANGER)).toThrow(code("GENESIS_INVALID"));
  });

  test("comes back from its file and from its bytes; a manifest alone is a genesis that nobody signed", () => {
    expect(parseGenesis(JSON.stringify(EXAMPLE_GENESIS, null, 2))).toEqual(EXAMPLE_GENESIS);
    expect(genesisFromBytes(canonicalGenesisBytes(EXAMPLE_GENESIS))).toEqual(EXAMPLE_GENESIS);
    expect(parseGenesis(JSON.stringify(EXAMPLE_MANIFEST))).toEqual(createGenesis(EXAMPLE_MANIFEST));
    expect(genesisStatus(createGenesis(EXAMPLE_MANIFEST)).isValid).toBe(true);
  });

  const [first, second] = EXAMPLE_GENESIS.signatures;
  const rows: readonly (readonly [string, string, object])[] = [
    ["a changed manifest", "SIGNATURE_INVALID", { manifest: { ...ROSTER_MANIFEST, seed: 8 } }],
    ["another's signature", "SIGNATURE_INVALID", { signatures: [{ ...first, signature: second!.signature }] }],
    ["a stranger's signature", "GENESIS_INVALID", { signatures: [{ ...first, peer: STRANGER.peer }] }],
    ["one twice", "GENESIS_INVALID", { signatures: [first, first] }],
    ["another order", "GENESIS_INVALID", { signatures: [second, first] }],
    ["a field too many", "GENESIS_INVALID", { more: 1 }],
    ["a signature with a field too many", "GENESIS_INVALID", { signatures: [{ ...first, more: 1 }] }],
    ["signatures that are no list", "GENESIS_INVALID", { signatures: {} }],
    ["capital digits", "GENESIS_INVALID", { signatures: [{ ...first, signature: first!.signature.toUpperCase() }] }],
  ];
  test.each(rows)("%s: %s", (_, expected, changes) => {
    expect(() => parseGenesis({ ...EXAMPLE_GENESIS, ...changes })).toThrow(code(expected));
  });

  test("on the wire it is canonical and valid", () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    expect(() => genesisFromBytes(bytes(JSON.stringify(EXAMPLE_GENESIS)))).toThrow(code("NOT_CANONICAL"));
    expect(() => genesisFromBytes(Uint8Array.of(0xff))).toThrow(code("GENESIS_INVALID"));
    expect(() => genesisFromBytes(bytes("{"))).toThrow(code("GENESIS_INVALID"));
    const one = signGenesis(createGenesis(ROSTER_MANIFEST), ALICE);
    expect(() => genesisFromBytes(canonicalGenesisBytes(one))).toThrow(code("GENESIS_INVALID"));
  });

  test("a threshold above the admins, and a founder twice, make no manifest", () => {
    const { membership } = ROSTER_MANIFEST;
    const changed = (changes: object) => () =>
      parseManifest({ ...ROSTER_MANIFEST, membership: { ...membership, ...changes } });
    expect(changed({ threshold: 4 })).toThrow(expect.objectContaining({ facts: { field: "membership.threshold" } }));
    const twice = [1, 2].map(() => ({ peer: ALICE.peer, role: "admin" }));
    expect(changed({ founders: twice })).toThrow(expect.objectContaining({ facts: { field: "membership.founders" } }));
    expect(changed({ founders: [{ peer: "nobody", role: "admin" }] })).toThrow(code("MANIFEST_INVALID"));
    expect(parseManifest({ ...EXAMPLE_MANIFEST, membership: { kind: "open" } }).membership).toEqual({ kind: "open" });
  });

  test("in words", () => {
    const words = describeMembership(ROSTER_MANIFEST.membership).join("\n");
    for (const part of ["4 founders, 3 of them admins", "2 admin", ALICE.peer, "90 days", "5 minutes"]) {
      expect(words).toContain(part);
    }
    expect(describeMembership(undefined)[0]).toContain("Open");
    expect(describeMembership({ kind: "open" })).toEqual(describeMembership(undefined));
  });
});

test("roles: who sends, fetches, forwards and governs", () => {
  const table = [...ROLES, undefined].map((role) => [
    role,
    ...[maySend(role, "update"), maySend(role, "announcement"), mayFetch(role), mayForward(role), mayGovern(role)].map(
      Number,
    ),
  ]);
  expect(table).toEqual([
    ["trainer", 1, 1, 1, 1, 0],
    ["observer", 0, 0, 1, 1, 0],
    ["relay", 0, 0, 0, 1, 0],
    ["admin", 1, 1, 1, 1, 1],
    [undefined, 0, 0, 0, 0, 0],
  ]);
});

test("an announcement of an observer is ignored, of a trainer accepted", () => {
  const log = new RosterLog(EXAMPLE_GENESIS);
  const context = { ...EXAMPLE_CONTEXT, networkId: ROSTER_ID };
  const fields = { networkId: ROSTER_ID, round: 3, sequence: 0, contentId: SOME_CONTENT_ID, bytesLength: 9 };
  const codes = () =>
    [CAROL, DAVE].map((author) => {
      const membership = judgeMembership(log.state(), NOW);
      return judgeAnnouncement(signAnnouncement(fields, author), { ...context, ...membership }).code;
    });
  expect(codes()).toEqual(["ACCEPTED", "NOT_A_MEMBER"]);
  log.add(encodeEntry(signedEntry({ kind: "admit", ...termsOf(DAVE.peer, "observer") })), NOW);
  expect(codes()).toEqual(["ACCEPTED", "ROLE_FORBIDS"]);
});

describe("equivocation", () => {
  const announcement = (text: string, sequence = 4, by = ALICE) =>
    signAnnouncement(
      {
        networkId: ROSTER_ID,
        round: 1,
        sequence,
        contentId: contentIdOf(new TextEncoder().encode(text)),
        bytesLength: 9,
      },
      by,
    );
  const entry = (peer = DAVE, drawn = {}) =>
    encodeEntry(signedEntry({ kind: "admit", ...termsOf(peer.peer) }, { sequence: 4, ...drawn }));

  test("two announcements, or two entries, of one author under one number prove it to anybody", () => {
    const proof = createEquivocationProof("announcement", [announcement("a"), announcement("b")]);
    expect(checkEquivocation(proof)).toEqual({
      kind: "announcement",
      author: ALICE.peer,
      networkId: ROSTER_ID,
      sequence: 4,
    });
    expect(createEquivocationProof("announcement", [announcement("b"), announcement("a")])).toEqual(proof);
    const entries = createEquivocationProof("roster-entry", [entry(), entry(STRANGER)]);
    expect(checkEquivocation(entries)).toMatchObject({ kind: "roster-entry", author: SELF.peer, sequence: 4 });
  });

  const rows: readonly (readonly [string, "announcement" | "roster-entry", () => [Uint8Array, Uint8Array]])[] = [
    ["one announcement twice", "announcement", () => [announcement("a"), announcement("a")]],
    ["two numbers", "announcement", () => [announcement("a"), announcement("b", 5)]],
    ["two authors", "announcement", () => [announcement("a"), announcement("b", 4, BOB)]],
    ["one entry twice", "roster-entry", () => [entry(), entry()]],
    ["two numbers of entries", "roster-entry", () => [entry(), entry(STRANGER, { sequence: 5 })]],
    ["two authors of entries", "roster-entry", () => [entry(), entry(STRANGER, { by: [BOB, ALICE] })]],
  ];
  test.each(rows)("%s: proves nothing", (_, kind, statements) => {
    expect(() => createEquivocationProof(kind, statements())).toThrow(code("FIELD_INVALID"));
  });

  test("a statement that its author did not sign proves nothing", () => {
    const forged = announcement("b");
    forged[forged.length - 1]! ^= 1;
    expect(() => createEquivocationProof("announcement", [announcement("a"), forged])).toThrow(
      code("SIGNATURE_INVALID"),
    );
    expect(() => checkEquivocation(announcement("a"))).toThrow();
  });
});

describe("succession", () => {
  const next = succeedingManifest(ROSTER_MANIFEST, { seed: 9 }, 50);

  test("the roster goes on under the manifest that it agreed to", () => {
    const log = new RosterLog(EXAMPLE_GENESIS);
    expect(isAgreedSuccessor(log.state(), ROSTER_MANIFEST, next)).toBe(false);
    log.add(encodeEntry(signedEntry(successionStatement(ROSTER_MANIFEST, next))), NOW);
    expect(isAgreedSuccessor(log.state(), ROSTER_MANIFEST, next)).toBe(true);
    expect(isAgreedSuccessor(log.state(), ROSTER_MANIFEST, succeedingManifest(ROSTER_MANIFEST, { seed: 10 }, 50))).toBe(
      false,
    );
    const third = succeedingManifest(next, { seed: 11 }, 60);
    expect(third.succeeds).toEqual({ network: networkId(next), first: ROSTER_ID, round: 60 });
    expect(parseManifest(JSON.stringify(third))).toEqual(third);
  });

  test("a manifest that does not follow is refused by the field", () => {
    const statement = (changes: object) => () => successionStatement(ROSTER_MANIFEST, { ...next, ...changes });
    const { succeeds: _, ...unlinked } = next;
    expect(() => successionStatement(ROSTER_MANIFEST, unlinked)).toThrow(/succeeds is missing/);
    expect(statement({ succeeds: { ...next.succeeds, network: "0".repeat(64) } })).toThrow(/succeeds.network/);
    expect(statement({ succeeds: { ...next.succeeds, first: "0".repeat(64) } })).toThrow(/succeeds.first/);
    expect(statement({ membership: { ...next.membership, threshold: 1 } })).toThrow(/membership/);
    expect(() => succeedingManifest(EXAMPLE_MANIFEST, {}, 5)).toThrow(/no roster/);
    expect(() => succeedingManifest(next, {}, 50)).toThrow(/later/);
  });
});
