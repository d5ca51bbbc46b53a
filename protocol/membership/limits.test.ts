/** Every limit of membership is filled once, and passed by one. */
import { describe, expect, test } from "vitest";
import { encodeCanonical } from "../canonical-message.ts";
import { type ContentId, contentIdToBytes } from "../content-id.ts";
import { code, limitsOfThisFile, list, MEMBERSHIP_LIMITS } from "../limits.suite.ts";
import { LIMITS } from "../limits.ts";
import { canonicalManifestBytes, networkId, parseManifest } from "../network-manifest.ts";
import { peerIdFromPublicKey } from "../peer-id.ts";
import { ALICE, EXAMPLE_MANIFEST, EXAMPLE_UPDATE, SELF, SOME_CONTENT_ID } from "../vectors/example-network.ts";
import { EXAMPLE_GENESIS, NOW, ROSTER_ID, signedEntry, termsOf } from "../vectors/example-roster.ts";
import { createAdmissionRequest, judgeAdmissionRequest, readAdmissionReply, signAdmissionReply } from "./admission.ts";
import { createEntry, decodeEntry, type EntryId, encodeEntry, signEntry } from "./entry.ts";
import { checkEquivocation, createEquivocationProof } from "./equivocation.ts";
import { canonicalGenesisBytes, createGenesis, genesisFromBytes, parseGenesis, signGenesis } from "./genesis.ts";
import { createInvite, inviteText, parseInvite } from "./invite.ts";
import { RosterInventorySchema, RosterNotesSchema } from "./membership_pb.ts";
import { opensslSigner, opensslVerify } from "./openssl.suite.ts";
import { decodeEntries, decodeInventory } from "./roster-exchange.ts";
import { RosterLog } from "./roster-log.ts";
import {
  decodeRosterMessage,
  decodeRosterMessages,
  encodeRosterMessage,
  encodeRosterMessages,
} from "./roster-message.ts";
import type { RosterState } from "./roster-state.ts";
import { isMember } from "./roster-state.ts";
import { POLICY_DEFAULTS } from "./settings.ts";
import { succeedingManifest, successorChain } from "./succession.ts";

const { filled, fills } = limitsOfThisFile();

const UINT32_MAX = 0xffff_ffff;

describe("membership", () => {
  const admins = list(LIMITS.signatureCountMax, (i) => opensslSigner(i + 1));
  const others = list(LIMITS.founderCountMax - admins.length, (i) =>
    peerIdFromPublicKey(new Uint8Array(32).fill(7).with(0, i)),
  );
  const membership = {
    kind: "roster",
    founders: [
      ...admins.map(({ peer }) => ({ peer, role: "admin" as const })),
      ...others.map((peer) => ({ peer, role: "trainer" as const })),
    ],
    threshold: LIMITS.signatureCountMax,
    policy: { ...POLICY_DEFAULTS, certificateSeconds: LIMITS.certificateSecondsMax },
  } as const;
  const manifest = { ...EXAMPLE_MANIFEST, membership };

  fills(["founderCountMax", "signatureCountMax", "certificateSecondsMax", "genesisBytesMax"], () => {
    const genesis = admins.reduce(signGenesis, createGenesis(manifest));
    const bytes = canonicalGenesisBytes(genesis);
    expect(genesisFromBytes(bytes, opensslVerify)).toEqual(genesis);
    expect(bytes.length - canonicalManifestBytes(manifest).length).toBeLessThan(256 * LIMITS.signatureCountMax);
    const over = (changes: object) => () => parseManifest({ ...manifest, membership: { ...membership, ...changes } });
    expect(over({ founders: [...membership.founders, { peer: SELF.peer, role: "relay" }] })).toThrow(
      code("MANIFEST_INVALID"),
    );
    expect(over({ threshold: LIMITS.signatureCountMax + 1 })).toThrow(code("MANIFEST_INVALID"));
    const policy = { ...membership.policy, certificateSeconds: LIMITS.certificateSecondsMax + 1 };
    expect(over({ policy })).toThrow(code("MANIFEST_INVALID"));
    const more = { ...genesis, signatures: [...genesis.signatures, genesis.signatures[0]] };
    expect(() => parseGenesis(more)).toThrow(code("GENESIS_INVALID"));
    expect(() => parseGenesis(" ".repeat(LIMITS.genesisBytesMax + 1))).toThrow(code("TOO_LARGE"));
    expect(() => genesisFromBytes(new Uint8Array(LIMITS.genesisBytesMax + 1))).toThrow(code("TOO_LARGE"));
  });

  fills(["successionCountMax"], () => {
    const round = (i: number) => i + 1;
    let before = EXAMPLE_GENESIS.manifest;
    const links = list(LIMITS.successionCountMax + 1, (i) => {
      before = succeedingManifest(before, { name: `network ${i}` }, round(i));
      return { manifest: before, entry: "ff".repeat(32) as EntryId, network: networkId(before), round: round(i) };
    });
    const manifestOf = (id: string) => links.find(({ network }) => network === id)?.manifest;
    const lengthOf = (successions: typeof links) =>
      successorChain(EXAMPLE_GENESIS.manifest, { successions }, manifestOf).manifests.length;
    expect(lengthOf(links.slice(0, -1))).toBe(1 + LIMITS.successionCountMax);
    expect(lengthOf(links)).toBe(1);
  });

  fills(["rosterParentCountMax", "rosterEntryBytesMax", "inviteUsesMax"], () => {
    const invite = { key: "ff".repeat(32), uses: LIMITS.inviteUsesMax };
    const fields = {
      networkId: ROSTER_ID,
      parents: list(LIMITS.rosterParentCountMax, (i) => (0xf0 + i).toString(16).repeat(32) as EntryId),
      author: admins[0]!.peer,
      signers: admins.map(({ peer }) => peer),
      sequence: UINT32_MAX,
      issuedAt: UINT32_MAX,
      statement: { kind: "admit", ...termsOf(others[0]!), invite },
    } as const;
    const bytes = encodeEntry(admins.reduce(signEntry, createEntry(fields)));
    expect(bytes.length).toBeLessThan(LIMITS.rosterEntryBytesMax);
    expect(decodeEntry(bytes)).toMatchObject(fields.statement.invite ? { statement: fields.statement } : {});
    expect(() => decodeEntry(new Uint8Array(LIMITS.rosterEntryBytesMax + 1))).toThrow(code("TOO_LARGE"));
    expect(() => createEntry({ ...fields, parents: [...fields.parents, "01".repeat(32) as EntryId] })).toThrow(
      code("TOO_LARGE"),
    );
    expect(() => createEntry({ ...fields, signers: [...fields.signers, SELF.peer, others[1]!] })).toThrow(
      code("TOO_LARGE"),
    );
    const uses = { ...fields.statement, invite: { ...invite, uses: LIMITS.inviteUsesMax + 1 } };
    expect(() => createEntry({ ...fields, statement: uses })).toThrow(code("FIELD_INVALID"));
  });

  fills(["rosterEntryCountMax", "rosterMessageBytesMax"], () => {
    const log = new RosterLog(EXAMPLE_GENESIS, { verify: opensslVerify, entryCountMax: 1 });
    const entry = (i: number) => encodeEntry(signedEntry({ kind: "admit", ...termsOf(others[i]!) }));
    expect(log.add(entry(0), NOW).outcome).toBe("added");
    expect(log.add(entry(1), NOW)).toMatchObject({ outcome: "refused", code: "FULL" });
    const names = list(LIMITS.rosterEntryCountMax, (i) =>
      contentIdToBytes(i.toString(16).padStart(64, "0") as ContentId),
    );
    const inventory = (all: Uint8Array[]) => encodeCanonical(RosterInventorySchema, { names: Buffer.concat(all) });
    expect(decodeInventory(inventory(names)).size).toBe(LIMITS.rosterEntryCountMax);
    expect(() => decodeInventory(inventory([...names, new Uint8Array(32).fill(0xff)]))).toThrow(code("TOO_LARGE"));
    for (const decode of [decodeInventory, decodeEntries]) {
      expect(() => decode(new Uint8Array(LIMITS.rosterMessageBytesMax + 1))).toThrow(code("TOO_LARGE"));
    }
  });

  fills(["inviteAddressCountMax", "inviteTextLengthMax", "labelLengthMax", "admissionRequestBytesMax"], () => {
    const base = `/p2p/${ALICE.peer}`;
    const address = (i: number) => `/dns4/${String(i).padEnd(LIMITS.addressBytesMax - base.length - 6, ".")}${base}`;
    const terms = { networkId: ROSTER_ID, role: "admin", uses: LIMITS.inviteUsesMax, notAfter: UINT32_MAX } as const;
    const secret = new Uint8Array(16).fill(0xff);
    const addresses = list(LIMITS.inviteAddressCountMax, address);
    const invite = createInvite({ ...terms, secret, addresses }, SELF);
    expect(inviteText(invite).length).toBeLessThan(LIMITS.inviteTextLengthMax);
    expect(parseInvite(inviteText(invite), opensslVerify)).toEqual(invite);
    const more = [...addresses, address(9)];
    expect(() => createInvite({ ...terms, secret, addresses: more }, SELF)).toThrow(code("INVITE_INVALID"));
    expect(() => parseInvite("q".repeat(LIMITS.inviteTextLengthMax + 1))).toThrow(code("INVITE_INVALID"));

    const label = "l".repeat(LIMITS.labelLengthMax);
    const request = createAdmissionRequest(invite, { label, issuedAt: UINT32_MAX }, ALICE);
    expect(request.length).toBeLessThan(LIMITS.admissionRequestBytesMax);
    const long = { label: `${label}l`, issuedAt: 0 };
    expect(() => createAdmissionRequest(invite, long, ALICE)).toThrow(code("FIELD_INVALID"));
    const { networkId } = EXAMPLE_UPDATE;
    const context = { state: { networkId } as RosterState, usesOf: () => 0, nowSeconds: NOW };
    const over = Buffer.concat([request, new Uint8Array(LIMITS.admissionRequestBytesMax)]);
    expect(judgeAdmissionRequest(over, context)).toMatchObject({ code: "MALFORMED" });
    expect(judgeAdmissionRequest(request, context)).toMatchObject({ code: "NETWORK_MISMATCH" });
  });

  fills(["admissionReplyBytesMax", "equivocationProofBytesMax"], () => {
    const entry = (subject: (typeof others)[number]) => {
      const fields = { networkId: ROSTER_ID, parents: [], author: SELF.peer, sequence: 1, issuedAt: NOW } as const;
      const signers = [SELF.peer, ...admins.slice(1).map(({ peer }) => peer)];
      const statement = { kind: "admit", ...termsOf(subject) } as const;
      return encodeEntry([SELF, ...admins.slice(1)].reduce(signEntry, createEntry({ ...fields, signers, statement })));
    };
    const named = { networkId: ROSTER_ID, request: SOME_CONTENT_ID };
    const reply = signAdmissionReply({ code: "admitted", entry: entry(others[0]!) }, named, SELF);
    expect(readAdmissionReply(reply, opensslVerify)).toMatchObject({ code: "admitted" });
    expect(reply.length - entry(others[0]!).length).toBeLessThan(256);
    expect(() => readAdmissionReply(new Uint8Array(LIMITS.admissionReplyBytesMax + 1))).toThrow(code("TOO_LARGE"));
    const both = [entry(others[0]!), entry(others[1]!)] as const;
    const proof = createEquivocationProof("roster-entry", both, opensslVerify);
    expect(proof.length).toBeLessThan(LIMITS.equivocationProofBytesMax);
    expect(() => checkEquivocation(new Uint8Array(LIMITS.equivocationProofBytesMax + 1))).toThrow(code("TOO_LARGE"));
  });

  fills(["rosterNoteBytesMax", "rosterNoteCountMax"], () => {
    const note = (bytes: number) => encodeRosterMessage({ kind: "proof", body: new Uint8Array(bytes) });
    expect(note(LIMITS.equivocationProofBytesMax).length).toBeLessThan(LIMITS.rosterNoteBytesMax);
    expect(() => decodeRosterMessage(note(LIMITS.rosterNoteBytesMax))).toThrow(code("TOO_LARGE"));
    const notes = list(LIMITS.rosterNoteCountMax + 1, () => note(1));
    expect(decodeRosterMessages(encodeRosterMessages(notes))).toHaveLength(LIMITS.rosterNoteCountMax);
    expect(() => decodeRosterMessages(encodeCanonical(RosterNotesSchema, { notes }))).toThrow(code("TOO_LARGE"));
    // Bytes are the bound before their number is.
    const long = list(LIMITS.rosterNoteCountMax, () => note(LIMITS.equivocationProofBytesMax));
    expect(decodeRosterMessages(encodeRosterMessages(long)).length).toBeLessThan(LIMITS.rosterNoteCountMax);
  });

  fills(["rosterPendingCountMax"], () => {
    const log = new RosterLog(EXAMPLE_GENESIS, { verify: opensslVerify });
    const first = signedEntry({ kind: "admit", ...termsOf(others[0]!) });
    const waiting = (i: number) =>
      encodeEntry(
        createEntry({
          ...first,
          parents: i === 0 ? [first.id] : [i.toString(16).padStart(64, "0") as EntryId],
          sequence: i,
        }),
      );
    for (let i = 0; i <= LIMITS.rosterPendingCountMax; i++) expect(log.add(waiting(i), NOW).outcome).toBe("pending");
    // The oldest one went.
    expect(log.missing()).toHaveLength(LIMITS.rosterPendingCountMax);
    expect(log.missing()).not.toContain(first.id);
  });

  fills(["clockSkewSeconds"], () => {
    const log = new RosterLog(EXAMPLE_GENESIS, { verify: opensslVerify });
    const late = signedEntry(
      { kind: "admit", ...termsOf(others[0]!) },
      { issuedAt: NOW + LIMITS.clockSkewSeconds + 1 },
    );
    expect(log.add(encodeEntry(late), NOW)).toMatchObject({ code: "EARLY" });
    expect(log.add(encodeEntry(late), NOW + 1)).toMatchObject({ outcome: "added" });
    const ends = NOW + 30 * 86_400 + LIMITS.clockSkewSeconds;
    expect([ends, ends + 1].map((at) => isMember(log.state(), others[0]!, at))).toEqual([true, false]);
  });
});

test("every limit of membership was filled above", () => {
  expect([...filled].sort()).toEqual(MEMBERSHIP_LIMITS);
});
