/** Golden vectors of announcements and updates: bytes, the receiver's knowledge, and the verdict they must get. */
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";
import { type AnnouncementFields, encodeAnnouncementBody, signAnnouncement } from "../announcement.ts";
import { encodeCanonical } from "../canonical-message.ts";
import { contentIdOf } from "../content-id.ts";
import { MESSAGE_KINDS, type MessageKind, type Signer, sealEnvelope, signedBytes } from "../envelope.ts";
import type { ChainHead } from "../judge-context.ts";
import { LIMITS } from "../limits.ts";
import { encodeUpdateBody, signUpdate, type UpdateFields } from "../update.ts";
import type { VerdictCode } from "../verdict.ts";
import { AnnouncementBodySchema, EnvelopeSchema, UpdateBodySchema } from "../wire_pb.ts";
import {
  ALICE,
  BOB,
  EXAMPLE_MANIFEST,
  EXAMPLE_UPDATE,
  OBSERVER,
  SELF,
  SOME_CONTENT_ID,
  STRANGER,
} from "./example-network.ts";

/** A message in hex, the receiver's knowledge, and the verdict. */
export interface JudgedVector {
  readonly name: string;
  /** The envelope, hexadecimal. */
  readonly bytes: string;
  /** The receiver's round; 3 when absent. */
  readonly round?: number;
  /** The author's head that the receiver knows; none when absent. */
  readonly head?: ChainHead;
  /** For updates: the announcement's envelope, hexadecimal, because of which the bytes were asked for. */
  readonly announcement?: string;
  readonly expected: VerdictCode;
}

const { bytes: updateBytes, contentId } = signUpdate(EXAMPLE_UPDATE, ALICE);
const ANNOUNCEMENT: AnnouncementFields = {
  networkId: EXAMPLE_UPDATE.networkId,
  round: EXAMPLE_UPDATE.round,
  sequence: EXAMPLE_UPDATE.sequence,
  contentId,
  bytesLength: updateBytes.length,
};
const OTHER_NETWORK = { networkId: "ab".repeat(32) as AnnouncementFields["networkId"] };
const LAST_ROUND = EXAMPLE_MANIFEST.rounds.count - 1;
/** The first round that is too far ahead of a receiver in round 3. */
const AHEAD = 3 + LIMITS.roundsAheadMax + 1;
const OTHER_ID = contentIdOf(updateBytes.subarray(1));

/** Announcements and their verdicts. */
export function announcementVectors(): readonly JudgedVector[] {
  const signed = (fields: Partial<AnnouncementFields> = {}, signer = ALICE) =>
    signAnnouncement({ ...ANNOUNCEMENT, ...fields }, signer);
  const raw = (body: Uint8Array, signer = ALICE) => sealEnvelope("announcement", body, signer);
  const { head, ...atHead } = heads(contentId);
  const vector = vectorOf("announcement");
  return [
    vector("valid", signed(), "ACCEPTED"),
    vector("valid, first of its chain", signed({ round: 0, sequence: 0 }), "ACCEPTED", { round: 0 }),
    vector("valid, follows the known head", signed(), "ACCEPTED", { head: head(4, 2) }),
    vector("valid, after a gap and in the head's round", signed(), "ACCEPTED", { head: head(1, 3) }),
    vector("valid, last round", signed({ round: LAST_ROUND }), "ACCEPTED", { round: LAST_ROUND }),
    vector("valid, as far ahead as may be", signed({ round: AHEAD - 1 }), "ACCEPTED"),
    vector("valid, as old as may be", signed(), "ACCEPTED", { round: 3 + EXAMPLE_MANIFEST.aggregation.ageMax }),
    ...commonVectors("announcement", signed(), encodeAnnouncementBody(ANNOUNCEMENT)),
    vector("one byte too long", new Uint8Array(LIMITS.announcementBytesMax + 1), "TOO_LARGE"),
    vector(
      "body not canonical",
      raw(concatBytes(encodeAnnouncementBody(ANNOUNCEMENT), UNKNOWN_FIELD)),
      "NOT_CANONICAL",
    ),
    vector("body without ids", raw(encodeCanonical(AnnouncementBodySchema, { bytesLength: 1 })), "MALFORMED"),
    vector(
      "length 0",
      raw(encodeCanonical(AnnouncementBodySchema, { ...idsOfBody(), bytesLength: 0 })),
      "FIELD_INVALID",
    ),
    vector("other network", signed(OTHER_NETWORK), "NETWORK_MISMATCH"),
    vector("own", signed({}, SELF), "OWN"),
    vector("not a member", signed({}, STRANGER), "NOT_A_MEMBER"),
    vector("a member whose role does not send", signed({}, OBSERVER), "ROLE_FORBIDS"),
    vector("round after the last", signed({ round: LAST_ROUND + 1 }), "ROUND_OUT_OF_RANGE"),
    vector("further ahead than the window", signed({ round: AHEAD }), "ROUND_AHEAD"),
    vector("too old", signed(), "ROUND_OLD", { round: 4 + EXAMPLE_MANIFEST.aggregation.ageMax }),
    vector("known head", signed(), "DUPLICATE", { head: atHead.same }),
    vector("before the known head", signed(), "OLD", { head: head(6, 3) }),
    vector("same sequence, other update", signed(), "EQUIVOCATION", { head: atHead.other }),
    vector("round before the head's", signed(), "ROUND_BACKWARDS", { head: head(4, 4), round: 4 }),
  ];
}

/** Updates and their verdicts. */
export function updateVectors(): readonly JudgedVector[] {
  const signed = (fields: Partial<UpdateFields> = {}, signer = ALICE) =>
    signUpdate({ ...EXAMPLE_UPDATE, ...fields }, signer).bytes;
  const announced = (fields: Partial<AnnouncementFields> = {}, signer: Signer = ALICE) => ({
    announcement: bytesToHex(signAnnouncement({ ...ANNOUNCEMENT, ...fields }, signer)),
  });
  const raw = (fields: object) =>
    sealEnvelope("update", encodeCanonical(UpdateBodySchema, { ...rawUpdate(), ...fields }), ALICE);
  const payload = (index: number, bytes: readonly number[]) => {
    const copy = EXAMPLE_UPDATE.payload.slice();
    copy.set(bytes, 4 * index);
    return { payload: copy };
  };
  const { head, ...atHead } = heads(contentId);
  const vector = vectorOf("update");
  return [
    vector("valid", signed(), "ACCEPTED"),
    vector("valid, as announced", signed(), "ACCEPTED", announced()),
    vector("valid, first of its chain", signed({ sequence: 0, previous: undefined }), "ACCEPTED"),
    vector("valid, follows the known head", signed(), "ACCEPTED", {
      head: { sequence: 4, round: 2, contentId: SOME_CONTENT_ID },
    }),
    vector("valid, after a gap", signed(), "ACCEPTED", { head: head(3, 2) }),
    ...commonVectors("update", signed(), encodeUpdateBody(EXAMPLE_UPDATE)),
    vector("not what was asked for", signed(), "CONTENT_MISMATCH", announced({ contentId: OTHER_ID })),
    vector("network id of 31 bytes", raw({ networkId: new Uint8Array(31) }), "MALFORMED"),
    vector("previous of 31 bytes", raw({ previous: new Uint8Array(31) }), "MALFORMED"),
    vector("sequence 0 with a previous", raw({ sequence: 0 }), "FIELD_INVALID"),
    vector("sequence 5 without a previous", raw({ previous: new Uint8Array() }), "FIELD_INVALID"),
    vector("too many local steps", raw({ localSteps: 1_000_001 }), "FIELD_INVALID"),
    vector("too many samples", raw({ sampleCount: 1_000_000_001 }), "FIELD_INVALID"),
    vector("other network", signed(OTHER_NETWORK), "NETWORK_MISMATCH"),
    vector("own", signed({}, SELF), "OWN"),
    vector("not a member", signed({}, STRANGER), "NOT_A_MEMBER"),
    vector("a member whose role does not send", signed({}, OBSERVER), "ROLE_FORBIDS"),
    vector("round after the last", signed({ round: LAST_ROUND + 1 }), "ROUND_OUT_OF_RANGE"),
    vector("further ahead than the window", signed({ round: AHEAD }), "ROUND_AHEAD"),
    vector("too old", signed(), "ROUND_OLD", { round: 4 + EXAMPLE_MANIFEST.aggregation.ageMax }),
    vector("known head", signed(), "DUPLICATE", { head: atHead.same }),
    vector("before the known head", signed(), "OLD", { head: head(6, 3) }),
    vector("same sequence, other update", signed(), "EQUIVOCATION", { head: atHead.other }),
    vector("round before the head's", signed(), "ROUND_BACKWARDS", { head: head(3, 4), round: 4 }),
    vector("does not name the head it follows", signed(), "CHAIN_BROKEN", { head: head(4, 2) }),
    vector("encoding 0", signed({ encoding: 0 }), "ENCODING_UNKNOWN"),
    vector("encoding 2", signed({ encoding: 2 }), "ENCODING_UNKNOWN"),
    vector("payload one byte short", signed({ payload: EXAMPLE_UPDATE.payload.slice(1) }), "PAYLOAD_LENGTH"),
    vector("payload one value long", signed({ payload: new Uint8Array(24) }), "PAYLOAD_LENGTH"),
    vector("payload empty", signed({ payload: new Uint8Array() }), "PAYLOAD_LENGTH"),
    vector("NaN", signed(payload(2, [0, 0, 0xc0, 0x7f])), "VALUE_NOT_FINITE"),
    vector("plus infinity, first value", signed(payload(0, [0, 0, 0x80, 0x7f])), "VALUE_NOT_FINITE"),
    vector("minus infinity, last value", signed(payload(4, [0, 0, 0x80, 0xff])), "VALUE_NOT_FINITE"),
    vector("announced by another", signed(), "ANNOUNCEMENT_MISMATCH", announced({}, BOB)),
    vector("announced for another round", signed(), "ANNOUNCEMENT_MISMATCH", announced({ round: 4 })),
    vector("announced with another sequence", signed(), "ANNOUNCEMENT_MISMATCH", announced({ sequence: 6 })),
    vector("announced with another length", signed(), "ANNOUNCEMENT_MISMATCH", announced({ bytesLength: 1 })),
  ];
}

/** Field 15, varint 0: a field that no message has. */
const UNKNOWN_FIELD = Uint8Array.of(0x78, 0x00);

/** Faults of an envelope of any kind. */
function commonVectors(kind: MessageKind, bytes: Uint8Array, body: Uint8Array): readonly JudgedVector[] {
  const vector = vectorOf(kind);
  const other: MessageKind = kind === "update" ? "announcement" : "update";
  const parts = {
    kind: MESSAGE_KINDS[kind].number,
    author: ALICE.publicKey,
    body,
    signature: ALICE.sign(signedBytes(kind, body)),
  };
  const envelope = (changes: Partial<typeof parts>) => encodeCanonical(EnvelopeSchema, { ...parts, ...changes });
  const flipped = parts.signature.slice();
  flipped[40]! ^= 1;
  const sIsZeroRIsIdentity = Uint8Array.of(1, ...new Uint8Array(63));
  return [
    vector("empty", new Uint8Array(), "MALFORMED"),
    vector("truncated", bytes.subarray(0, bytes.length - 1), "MALFORMED"),
    vector(
      "not protobuf",
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      "MALFORMED",
    ),
    vector("key of 31 bytes", envelope({ author: ALICE.publicKey.subarray(1) }), "MALFORMED"),
    vector("signature of 63 bytes", envelope({ signature: flipped.subarray(1) }), "MALFORMED"),
    vector("unknown field", concatBytes(bytes, UNKNOWN_FIELD), "NOT_CANONICAL"),
    vector("kind twice", concatBytes(bytes.subarray(0, 2), bytes), "NOT_CANONICAL"),
    vector(
      "kind as a long varint",
      concatBytes(Uint8Array.of(0x08, bytes[1]! | 0x80, 0), bytes.subarray(2)),
      "NOT_CANONICAL",
    ),
    vector("fields out of order", concatBytes(bytes.subarray(2), bytes.subarray(0, 2)), "NOT_CANONICAL"),
    vector("kind of another message", envelope({ kind: MESSAGE_KINDS[other].number }), "WRONG_KIND"),
    vector("kind 0", envelope({ kind: 0 }), "WRONG_KIND"),
    vector("signature with one bit flipped", envelope({ signature: flipped }), "SIGNATURE_INVALID"),
    vector("signed by another", envelope({ author: BOB.publicKey }), "SIGNATURE_INVALID"),
    vector("signed without a domain", envelope({ signature: ALICE.sign(body) }), "SIGNATURE_INVALID"),
    vector(
      "signed for another kind",
      envelope({ signature: ALICE.sign(signedBytes(other, body)) }),
      "SIGNATURE_INVALID",
    ),
    vector(
      "key of small order",
      envelope({ author: Uint8Array.of(1, ...new Uint8Array(31)), signature: sIsZeroRIsIdentity }),
      "SIGNATURE_INVALID",
    ),
  ];
}

const vectorOf =
  (kind: MessageKind) =>
  (name: string, bytes: Uint8Array, expected: VerdictCode, state: Partial<JudgedVector> = {}): JudgedVector => ({
    name: `${kind}: ${name}`,
    bytes: bytesToHex(bytes),
    ...state,
    expected,
  });

function heads(id: ChainHead["contentId"]) {
  const head = (sequence: number, round: number): ChainHead => ({ sequence, round, contentId: OTHER_ID });
  return { head, same: { ...head(5, 3), contentId: id }, other: head(5, 3) };
}

const idsOfBody = () => ({ networkId: new Uint8Array(32), contentId: new Uint8Array(32) });
const rawUpdate = () => ({
  networkId: new Uint8Array(32),
  round: 3,
  sequence: 5,
  previous: new Uint8Array(32),
  encoding: 1,
  payload: EXAMPLE_UPDATE.payload,
});
