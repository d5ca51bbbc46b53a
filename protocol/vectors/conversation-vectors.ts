/** Vectors of greetings and notes in a network with a roster, and the answer to each of a peer that holds the example's genesis. */
import { bytesToHex } from "@noble/hashes/utils.js";
import { encodeCanonical } from "../canonical-message.ts";
import type { Signer } from "../envelope.ts";
import { encodeHello, HANDSHAKE_CODES, type ShownMembership } from "../handshake.ts";
import { LIMITS } from "../limits.ts";
import { signAdmissionReply } from "../membership/admission.ts";
import { type Entry, encodeEntry, type Statement } from "../membership/entry.ts";
import { createEquivocationProof } from "../membership/equivocation.ts";
import { RosterNoteSchema, RosterNotesSchema } from "../membership/membership_pb.ts";
import { encodeRosterMessage, encodeRosterMessages, type RosterMessageKind } from "../membership/roster-message.ts";
import { networkIdToBytes } from "../network-id.ts";
import { canonicalManifestBytes } from "../network-manifest.ts";
import { PROTOCOL_VERSION } from "../stream-protocols.ts";
import { HandshakeHelloSchema, HandshakeReplySchema } from "../wire_pb.ts";
import { ASKED, type ConversationMessage, type ConversationVector, REQUEST } from "./conversation-outcome.ts";
import { ALICE, BOB, EXAMPLE_MANIFEST, SELF, STRANGER } from "./example-network.ts";
import { CAROL, DAVE, DAY, NOW, ROSTER_ID, ROSTER_MANIFEST, signedEntry, termsOf } from "./example-roster.ts";

const admitted: Statement = { kind: "admit", ...termsOf(DAVE.peer) };
/** The vectors of conversations.json. */
export function conversationVectors(): readonly ConversationVector[] {
  return [...helloVectors(), ...replyVectors(), ...noteVectors(), ...notesVectors()];
}

function helloVectors(): readonly ConversationVector[] {
  const entry = signedEntry(admitted);
  const bytes = encodeEntry(entry);
  const ended = encodeEntry(signedEntry({ ...admitted, notBefore: NOW - DAY, notAfter: NOW - 301 } as Statement));
  const revoked = signedEntry({ kind: "revoke", subject: DAVE.peer, reason: "left" }, { parents: [entry.id] });
  const promoted = signedEntry({ kind: "promote", ...termsOf(CAROL.peer, "admin") });
  const byCarol = encodeEntry(signedEntry(admitted, { by: [SELF, CAROL], parents: [promoted.id] }));
  const other = encodeEntry(signedEntry({ kind: "admit", ...termsOf(STRANGER.peer) }));
  const forged = bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1);
  const hello = (shown: Partial<ShownMembership>) =>
    encodeHello(ROSTER_MANIFEST, { heads: [], certificate: new Uint8Array(), entries: [], ...shown });
  const raw = (fields: object) =>
    encodeCanonical(HandshakeHelloSchema, {
      networkId: networkIdToBytes(ROSTER_ID),
      protocolVersion: PROTOCOL_VERSION,
      manifest: canonicalManifestBytes(ROSTER_MANIFEST),
      ...fields,
    });
  const row = (name: string, one: Uint8Array, expected: string, from: Signer = DAVE) =>
    vector("hello", name, one, { expected, from, isSigned: from !== CAROL });
  const names = (...bytes: readonly number[]) => Uint8Array.from(bytes.flatMap((byte) => Array(32).fill(byte)));
  const many = Array.from({ length: LIMITS.rosterParentCountMax + 1 }, (_, i) => i);
  return [
    row("of a founder", hello({}), "WELCOME", CAROL),
    row("a certificate", hello({ certificate: bytes }), "WELCOME"),
    row("a certificate and heads", hello({ certificate: bytes, heads: [entry.id, revoked.id] }), "WELCOME"),
    row(
      "a certificate and what it rests on",
      hello({ certificate: byCarol, entries: [encodeEntry(promoted), byCarol] }),
      "WELCOME",
    ),
    row("a certificate that rests on what is not shown", hello({ certificate: byCarol }), "ROSTER"),
    row("an ended certificate", hello({ certificate: ended }), "ROSTER"),
    row("an ended certificate and its entry", hello({ certificate: ended, entries: [ended] }), "EXPIRED"),
    row(
      "a certificate and its revocation",
      hello({ certificate: bytes, entries: [bytes, encodeEntry(revoked)] }),
      "REMOVED",
    ),
    row("nothing", hello({}), "NOT_A_MEMBER"),
    row("another's certificate", hello({ certificate: other, entries: [other] }), "NOT_A_MEMBER"),
    row("a bit of the last signature changed", hello({ certificate: forged, entries: [forged] }), "NOT_A_MEMBER"),
    row(
      "an entry before the certificate that cannot be read",
      hello({ certificate: byCarol, entries: [Uint8Array.of(1), encodeEntry(promoted), byCarol] }),
      "NOT_A_MEMBER",
    ),
    row("a certificate that cannot be read", hello({ certificate: Uint8Array.of(1) }), "NOT_A_MEMBER"),
    row(
      "a certificate that is too long",
      raw({ certificate: new Uint8Array(LIMITS.rosterEntryBytesMax + 1) }),
      "MALFORMED",
    ),
    row("half a head", raw({ heads: new Uint8Array(16) }), "MALFORMED"),
    row("heads not rising", raw({ heads: names(2, 1) }), "MALFORMED"),
    row("a head twice", raw({ heads: names(1, 1) }), "MALFORMED"),
    row("too many heads", raw({ heads: names(...many) }), "MALFORMED"),
    row(
      "a certificate of an open network",
      encodeHello(EXAMPLE_MANIFEST, { heads: [], certificate: bytes, entries: [] }),
      "MALFORMED",
    ),
    row("of an open network", encodeHello(EXAMPLE_MANIFEST), "NETWORK"),
  ];
}

function replyVectors(): readonly ConversationVector[] {
  const reply = (fields: object) =>
    encodeCanonical(HandshakeReplySchema, {
      protocolVersion: PROTOCOL_VERSION,
      networkId: networkIdToBytes(ROSTER_ID),
      ...fields,
    });
  const row = (name: string, fields: object, expected: string) =>
    vector("reply", name, reply(fields), { expected, from: ALICE, isSigned: false });
  const head = new Uint8Array(32).fill(7);
  return [
    row("welcome and a head", { code: HANDSHAKE_CODES.WELCOME, heads: head }, "WELCOME"),
    row("what it holds, for the entries", { code: HANDSHAKE_CODES.ROSTER, heads: head }, "ROSTER"),
    row("the membership is over", { code: HANDSHAKE_CODES.EXPIRED }, "EXPIRED"),
    row("removed", { code: HANDSHAKE_CODES.REMOVED }, "REMOVED"),
    row("heads beside a refusal", { code: HANDSHAKE_CODES.REMOVED, heads: head }, "MALFORMED"),
    row("half a head", { code: HANDSHAKE_CODES.WELCOME, heads: head.subarray(1) }, "MALFORMED"),
    row("code 11", { code: 11 }, "FIELD_INVALID"),
  ];
}

function noteVectors(): readonly ConversationVector[] {
  const row = (name: string, kind: RosterMessageKind, body: Uint8Array, expected = "accepted") =>
    vector("note", name, encodeRosterMessage({ kind, body }), { expected, from: BOB, isSigned: true });
  const whole = signedEntry(admitted);
  const without = (at: number): Entry => ({
    ...whole,
    signatures: whole.signatures.map((one, i) => (i === at ? new Uint8Array() : one)),
  });
  const [author, cosigner] = [whole.signers.indexOf(SELF.peer), whole.signers.indexOf(ALICE.peer)];
  const forged = (bytes: Uint8Array) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1);
  const answer = (by: Signer, request = ASKED, code: "denied" | "pending" = "denied") =>
    signAdmissionReply(
      code === "denied" ? { code, reason: "DECLINED" } : { code },
      { networkId: ROSTER_ID, request },
      by,
    );
  const twins = [DAVE, STRANGER].map(({ peer }) =>
    encodeEntry(signedEntry({ kind: "admit", ...termsOf(peer) }, { sequence: 4, by: [ALICE, BOB] })),
  );
  const proof = createEquivocationProof("roster-entry", [twins[0]!, twins[1]!]);
  const raw = (name: string, fields: object, expected: string) =>
    vector("note", name, encodeCanonical(RosterNoteSchema, fields), { expected, from: BOB, isSigned: true });
  return [
    row("an entry", "entry", encodeEntry(whole)),
    row("a draft with its author's signature", "draft", encodeEntry(without(cosigner))),
    row("a draft with all signatures", "draft", encodeEntry(whole)),
    row("a request", "request", REQUEST),
    row("a denial", "denial", answer(ALICE)),
    row("a proof", "proof", proof),
    row("an entry with a signature missing", "entry", encodeEntry(without(cosigner)), "UNSIGNED"),
    row("an entry, a bit of the last signature changed", "entry", forged(encodeEntry(whole)), "SIGNATURE_INVALID"),
    row("a draft without its author's signature", "draft", encodeEntry(without(author)), "UNSIGNED"),
    row("a draft, a bit of the last signature changed", "draft", forged(encodeEntry(whole)), "SIGNATURE_INVALID"),
    row(
      "a draft with a trainer among its signers",
      "draft",
      encodeEntry(signedEntry(admitted, { by: [SELF, CAROL] })),
      "NOT_AN_ADMIN",
    ),
    row("a request, a bit of the proof changed", "request", forged(REQUEST), "PROOF_INVALID"),
    row("a denial by a trainer", "denial", answer(CAROL), "NOT_AN_ADMIN"),
    row("a denial of another request", "denial", answer(ALICE, ROSTER_ID as string as typeof ASKED), "REQUEST_UNKNOWN"),
    row("an answer that denies nothing", "denial", answer(ALICE, ASKED, "pending"), "FIELD_INVALID"),
    row("a denial, a bit of the signature changed", "denial", forged(answer(ALICE)), "SIGNATURE_INVALID"),
    row("a proof of one entry twice", "proof", twins[0]!, "MALFORMED"),
    raw("kind 0", { body: encodeEntry(whole) }, "FIELD_INVALID"),
    raw("kind 6", { kind: 6, body: encodeEntry(whole) }, "FIELD_INVALID"),
    raw("no body", { kind: 1 }, "MALFORMED"),
    raw("too long", { kind: 1, body: new Uint8Array(LIMITS.rosterNoteBytesMax) }, "TOO_LARGE"),
    vector("note", "an unknown field", Uint8Array.of(8, 1, 0x78, 0), {
      expected: "NOT_CANONICAL",
      from: BOB,
      isSigned: true,
    }),
  ];
}

function notesVectors(): readonly ConversationVector[] {
  const row = (name: string, bytes: Uint8Array, expected: string) =>
    vector("notes", name, bytes, { expected, from: BOB, isSigned: false });
  const note = encodeRosterMessage({ kind: "request", body: REQUEST });
  const many = Array.from({ length: LIMITS.rosterNoteCountMax + 1 }, () => new Uint8Array());
  return [
    row("none", encodeRosterMessages([]), "accepted"),
    row("two", encodeRosterMessages([note, note]), "accepted"),
    row("too many", encodeCanonical(RosterNotesSchema, { notes: many }), "TOO_LARGE"),
    row("cut off", encodeRosterMessages([note]).subarray(0, -1), "MALFORMED"),
    row("an unknown field", Uint8Array.of(0x78, 0), "NOT_CANONICAL"),
  ];
}

function vector(
  message: ConversationMessage,
  name: string,
  bytes: Uint8Array,
  { expected, from, isSigned }: { expected: string; from: Signer; isSigned: boolean },
): ConversationVector {
  return { message, name, from: from.peer, bytes: bytesToHex(bytes), expected, isSigned };
}
