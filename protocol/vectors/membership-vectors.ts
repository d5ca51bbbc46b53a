/** Vectors of everything that members sign, and the answer to each of a peer that holds the example's genesis. */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { signAnnouncement } from "../announcement.ts";
import type { Signer } from "../envelope.ts";
import { ProtocolError } from "../errors.ts";
import {
  createAdmissionRequest,
  judgeAdmissionRequest,
  readAdmissionReply,
  signAdmissionReply,
} from "../membership/admission.ts";
import { judgeCertificate } from "../membership/certificate.ts";
import { createEntry, type Entry, type EntryId, encodeEntry, type Statement, signEntry } from "../membership/entry.ts";
import { checkEquivocation, createEquivocationProof } from "../membership/equivocation.ts";
import { canonicalGenesisBytes, createGenesis, genesisFromBytes, signGenesis } from "../membership/genesis.ts";
import { createInvite, inviteText, parseInvite } from "../membership/invite.ts";
import { decodeEntries, decodeInventory, encodeInventory, encodeMissing } from "../membership/roster-exchange.ts";
import { RosterLog } from "../membership/roster-log.ts";
import { POLICY_DEFAULTS } from "../membership/settings.ts";
import { type VerifySignature, verifyStrictly } from "../membership/signatures.ts";
import { succeedingManifest, successionStatement } from "../membership/succession.ts";
import { withExampleLog } from "./example-log.ts";
import { ALICE, BOB, SELF, SOME_CONTENT_ID, STRANGER } from "./example-network.ts";
import {
  CAROL,
  DAVE,
  DAY,
  EXAMPLE_GENESIS,
  NOW,
  ROSTER_ID,
  ROSTER_MANIFEST,
  signedEntry,
  termsOf,
} from "./example-roster.ts";

/** The kinds of message in these vectors. */
export type MembershipMessage =
  | "genesis"
  | "entry"
  | "certificate"
  | "invite"
  | "request"
  | "reply"
  | "proof"
  | "inventory"
  | "entries";

/** A message in hex, and its outcome. */
export interface MembershipVector {
  readonly message: MembershipMessage;
  readonly name: string;
  /** Hexadecimal digits; of an invite and a genesis of its UTF-8 text. */
  readonly bytes: string;
  /** "accepted" or the code of the refusal. */
  readonly expected: string;
}

/**
 * The answer at NOW of a peer that knows the genesis and nothing else: "accepted" or a code. Dave shows the certificates.
 * Throws: only for a fault of the code.
 */
export function outcomeOf(
  message: MembershipMessage,
  bytes: Uint8Array,
  verify: VerifySignature = verifyStrictly,
): string {
  try {
    return withExampleLog(verify, (log) => judged(message, bytes, { log, verify }));
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

function judged(
  message: MembershipMessage,
  bytes: Uint8Array,
  { log, verify }: { readonly log: RosterLog; readonly verify: VerifySignature },
): string {
  const context = { state: log.state(), nowSeconds: NOW, verify };
  switch (message) {
    case "genesis":
      genesisFromBytes(bytes, verify);
      return "accepted";
    case "entry": {
      const result = log.add(bytes, NOW);
      return result.outcome === "refused" ? result.code : result.outcome === "added" ? "accepted" : result.outcome;
    }
    case "certificate": {
      const judgement = judgeCertificate(bytes, { ...context, peer: DAVE.peer });
      return judgement.isAccepted ? "accepted" : judgement.code;
    }
    case "invite":
      parseInvite(new TextDecoder().decode(bytes), verify);
      return "accepted";
    case "request": {
      const usesOf = (key: string, subject: typeof DAVE.peer) => log.usesOf(key, subject);
      const judgement = judgeAdmissionRequest(bytes, { ...context, usesOf });
      return judgement.isAccepted ? "accepted" : judgement.code;
    }
    case "reply":
      readAdmissionReply(bytes, verify);
      return "accepted";
    case "proof":
      checkEquivocation(bytes, verify);
      return "accepted";
    case "inventory":
      decodeInventory(bytes);
      return "accepted";
    case "entries":
      decodeEntries(bytes);
      return "accepted";
  }
}

const SECRET = new Uint8Array(16).fill(42);
const INVITE_TERMS = { networkId: ROSTER_ID, role: "trainer", uses: 1, notAfter: NOW + 2 * DAY } as const;
const ADDRESS = `/ip4/203.0.113.5/tcp/4001/p2p/${SELF.peer}`;
const NOWHERE = "0f".repeat(32) as EntryId;

/** The vectors of membership.json. */
export function membershipVectors(): readonly MembershipVector[] {
  return [
    ...genesisVectors(),
    ...entryVectors(),
    ...certificateVectors(),
    ...inviteVectors(),
    ...requestVectors(),
    ...replyVectors(),
    ...proofVectors(),
    ...exchangeVectors(),
  ];
}

function genesisVectors(): readonly MembershipVector[] {
  const row = (name: string, genesis: object, expected: string) =>
    vector("genesis", name, canonicalGenesisBytes(genesis as typeof EXAMPLE_GENESIS), expected);
  const { manifest, signatures } = EXAMPLE_GENESIS;
  return [
    row("signed by two admins of three", EXAMPLE_GENESIS, "accepted"),
    row("signed by a trainer too", signGenesis(EXAMPLE_GENESIS, CAROL), "accepted"),
    row(
      "signed by one admin and a trainer",
      signGenesis(signGenesis(createGenesis(manifest), BOB), CAROL),
      "GENESIS_INVALID",
    ),
    row(
      "a field of the manifest changed after it was signed",
      { ...EXAMPLE_GENESIS, manifest: { ...manifest, seed: 8 } },
      "SIGNATURE_INVALID",
    ),
    row("a signature twice", { ...EXAMPLE_GENESIS, signatures: [signatures[0], signatures[0]] }, "GENESIS_INVALID"),
    vector("genesis", "not canonical", new TextEncoder().encode(JSON.stringify(EXAMPLE_GENESIS)), "NOT_CANONICAL"),
  ];
}

function entryVectors(): readonly MembershipVector[] {
  const row = (name: string, entry: Entry, expected = "accepted") =>
    vector("entry", name, encodeEntry(entry), expected);
  const statement = (one: Statement, by?: readonly Signer[]) => signedEntry(one, by ? { by } : {});
  const policy = { ...POLICY_DEFAULTS, threshold: 3 };
  const invite = { key: bytesToHex(STRANGER.publicKey), uses: 2 };
  const dave: Statement = { kind: "admit", ...termsOf(DAVE.peer) };
  const rotation: Statement = { kind: "rotate", ...termsOf(DAVE.peer), replaces: CAROL.peer };
  const successor = succeedingManifest(ROSTER_MANIFEST, { seed: 9 }, 50);
  const unsigned = createEntry({
    networkId: ROSTER_ID,
    parents: [],
    author: SELF.peer,
    signers: [SELF.peer, ALICE.peer],
    sequence: 0,
    issuedAt: NOW,
    statement: dave,
  });
  const signed = statement(dave);
  const swapped = { ...signed, signatures: signed.signatures.toReversed() };
  return [
    row("admit", signed),
    row("admit by an invite", statement({ ...dave, invite } as Statement)),
    row("promote", statement({ kind: "promote", ...termsOf(CAROL.peer, "admin") })),
    row("expire", statement({ kind: "expire", ...termsOf(CAROL.peer) })),
    row("rotate", statement(rotation, [SELF, ALICE, CAROL, DAVE])),
    row("revoke", statement({ kind: "revoke", subject: BOB.peer, reason: "key-stolen" })),
    row("policy", statement({ kind: "policy", policy })),
    row("succeed", statement(successionStatement(ROSTER_MANIFEST, successor))),
    row("rotate without the old key", statement(rotation, [SELF, ALICE, DAVE]), "UNSIGNED"),
    row("one signature missing", signEntry(unsigned, ALICE), "UNSIGNED"),
    row("signatures in each other's place", swapped, "SIGNATURE_INVALID"),
    row("one admin where two are needed", statement(dave, [BOB]), "BELOW_THRESHOLD"),
    row("signed by a trainer", statement(dave, [BOB, ALICE, CAROL]), "NOT_AN_ADMIN"),
    row("of a later time", signedEntry(dave, { issuedAt: NOW + 301 }), "EARLY"),
    row("a year", statement({ ...dave, notAfter: NOW + 365 * DAY } as Statement), "TERMS_TOO_LONG"),
    row("promote somebody who is no member", statement({ kind: "promote", ...termsOf(DAVE.peer) }), "NOT_A_MEMBER"),
    row(
      "a threshold above the admins",
      statement({ kind: "policy", policy: { ...policy, threshold: 4 } }),
      "THRESHOLD_UNREACHABLE",
    ),
    row("after an entry that is not here", signedEntry(dave, { parents: [NOWHERE] }), "pending"),
    vector("entry", "a byte missing", encodeEntry(signed).subarray(0, -1), "MALFORMED"),
    vector("entry", "nothing", new Uint8Array(), "MALFORMED"),
  ];
}

function certificateVectors(): readonly MembershipVector[] {
  const row = (name: string, statement: Statement, expected: string, by: readonly Signer[] = [SELF, ALICE]) =>
    vector("certificate", name, encodeEntry(signedEntry(statement, { by })), expected);
  const dave = { kind: "admit", ...termsOf(DAVE.peer) } as const;
  return [
    row("of who shows it", dave, "accepted"),
    row("of another", { kind: "admit", ...termsOf(STRANGER.peer) }, "WRONG_PEER"),
    row("expired", { ...dave, notBefore: NOW - DAY, notAfter: NOW - 301 }, "EXPIRED"),
    row("expired within the clock skew", { ...dave, notBefore: NOW - DAY, notAfter: NOW - 300 }, "accepted"),
    row("not yet", { ...dave, notBefore: NOW + 301 }, "NOT_YET"),
    row("signed by one admin and a trainer", dave, "BELOW_THRESHOLD", [SELF, CAROL]),
    row("no grant", { kind: "revoke", subject: DAVE.peer, reason: "left" }, "NOT_A_GRANT"),
  ];
}

function inviteVectors(): readonly MembershipVector[] {
  const invite = createInvite({ ...INVITE_TERMS, secret: SECRET, addresses: [ADDRESS] }, SELF);
  const admin = createInvite({ ...INVITE_TERMS, role: "admin", secret: SECRET, addresses: [] }, SELF);
  const text = inviteText(invite);
  const row = (name: string, one: string, expected: string) =>
    vector("invite", name, new TextEncoder().encode(one), expected);
  return [
    row("one trainer, one address", text, "accepted"),
    row("an admin, no address", inviteText(admin), "accepted"),
    row("the secret of another", inviteText({ ...invite, secret: new Uint8Array(16) }), "INVITE_INVALID"),
    row("the last character missing", text.slice(0, -1), "INVITE_INVALID"),
    row("of another program", text.replace("weft1", "left1"), "INVITE_INVALID"),
  ];
}

function requestVectors(): readonly MembershipVector[] {
  const invite = createInvite({ ...INVITE_TERMS, secret: SECRET, addresses: [] }, SELF);
  const row = (name: string, one: typeof invite, by: Signer, expected: string) =>
    vector("request", name, createAdmissionRequest(one, { label: "site 4", issuedAt: NOW }, by), expected);
  const of = (changes: object, issuer = SELF) =>
    createInvite({ ...INVITE_TERMS, secret: SECRET, addresses: [], ...changes }, issuer);
  return [
    row("by an invite", invite, DAVE, "accepted"),
    row("without the secret", { ...invite, secret: new Uint8Array(16) }, DAVE, "PROOF_INVALID"),
    row("by an invite of a trainer", of({}, CAROL), DAVE, "ISSUER_NOT_ADMIN"),
    row("by an invite that ended", of({ notAfter: NOW - 301 }), DAVE, "INVITE_EXPIRED"),
    row("by a member", invite, CAROL, "ALREADY_MEMBER"),
  ];
}

function replyVectors(): readonly MembershipVector[] {
  const entry = encodeEntry(signedEntry({ kind: "admit", ...termsOf(DAVE.peer) }));
  const named = { networkId: ROSTER_ID, request: SOME_CONTENT_ID };
  const row = (answer: Parameters<typeof signAdmissionReply>[0]) =>
    vector("reply", answer.code, signAdmissionReply(answer, named, ALICE), "accepted");
  const pending = signAdmissionReply({ code: "pending" }, named, ALICE);
  const forged = pending.with(pending.length - 1, pending.at(-1)! ^ 1);
  return [
    row({ code: "pending" }),
    row({ code: "admitted", entry }),
    row({ code: "denied", reason: "DECLINED" }),
    vector("reply", "a bit of the signature changed", forged, "SIGNATURE_INVALID"),
  ];
}

function proofVectors(): readonly MembershipVector[] {
  const announcement = (bytesLength: number, contentId = SOME_CONTENT_ID) =>
    signAnnouncement({ networkId: ROSTER_ID, round: 1, sequence: 4, contentId, bytesLength }, CAROL);
  const entry = (peer: typeof DAVE.peer) =>
    encodeEntry(signedEntry({ kind: "admit", ...termsOf(peer) }, { sequence: 4 }));
  const other = ROSTER_ID as string as typeof SOME_CONTENT_ID;
  const both = [announcement(9), announcement(9, other)] as const;
  const proof = createEquivocationProof("announcement", both);
  return [
    vector("proof", "two announcements", proof, "accepted"),
    vector(
      "proof",
      "two entries",
      createEquivocationProof("roster-entry", [entry(DAVE.peer), entry(STRANGER.peer)]),
      "accepted",
    ),
    vector("proof", "of another kind", proof.with(1, 2), "MALFORMED"),
    vector("proof", "one announcement alone", announcement(9), "NOT_CANONICAL"),
  ];
}

function exchangeVectors(): readonly MembershipVector[] {
  const log = new RosterLog(EXAMPLE_GENESIS);
  for (const peer of [DAVE, STRANGER]) log.add(encodeEntry(signedEntry({ kind: "admit", ...termsOf(peer.peer) })), NOW);
  const inventory = encodeInventory(log);
  return [
    vector("inventory", "two names", inventory, "accepted"),
    vector("inventory", "none", new Uint8Array(), "accepted"),
    vector("inventory", "half a name", Uint8Array.of(0x0a, 1, 7), "MALFORMED"),
    vector("inventory", "not rising", Uint8Array.of(0x0a, 64, ...new Uint8Array(64)), "MALFORMED"),
    vector("entries", "two entries", encodeMissing(log, new Set())[0]!, "accepted"),
    vector("entries", "an unknown field", Uint8Array.of(0x10, 1), "NOT_CANONICAL"),
  ];
}

const vector = (message: MembershipMessage, name: string, bytes: Uint8Array, expected: string): MembershipVector => ({
  message,
  name,
  bytes: bytesToHex(bytes),
  expected,
});

/** The bytes of a vector. */
export const vectorBytes = ({ bytes }: Pick<MembershipVector, "bytes">): Uint8Array => hexToBytes(bytes);
