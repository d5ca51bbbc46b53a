/**
 * A roster entry: one change of the membership, naming the entries it knows of (`parents`) and the keys that sign it. Its
 * name is the hash of the body, so nothing about an entry depends on when which signature came.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { decodeAnyForm, decodeCanonical, encodeCanonical, equalBytes } from "../canonical-message.ts";
import { contentIdOf, DIGEST_BYTES } from "../content-id.ts";
import { SIGNATURE_BYTES, type Signer } from "../envelope.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "../network-id.ts";
import { type PeerId, PUBLIC_KEY_BYTES, peerIdFromPublicKey, publicKeyOfPeerId } from "../peer-id.ts";
import { type EntryBody, EntryBodySchema, RosterEntrySchema } from "./membership_pb.ts";
import { ROLE_NUMBERS, type Role, roleOfNumber } from "./roles.ts";
import type { MembershipPolicy } from "./settings.ts";
import { compareBytes, domainBytes, signStatement, type VerifySignature } from "./signatures.ts";

declare const brand: unique symbol;
/** SHA-256 of an entry's body, 64 lower-case hexadecimal digits. */
export type EntryId = string & { readonly [brand]: "EntryId" };

/** The reason for which a membership is revoked. */
export type RevokeReason = "left" | "key-lost" | "key-stolen" | "misconduct" | "equivocation" | "other";

/** The terms of a membership, with its interval; times are seconds since 1970. */
export interface Terms {
  readonly subject: PeerId;
  readonly role: Role;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The invite by which somebody is admitted: its public key (64 hexadecimal digits), and how many it may admit in all. */
export interface InviteUse {
  readonly key: string;
  readonly uses: number;
}

/** An entry that makes somebody a member, under its terms. */
export type Grant =
  | (Terms & { readonly kind: "admit"; readonly invite?: InviteUse })
  /** Another role, or a longer membership. */
  | (Terms & { readonly kind: "promote" })
  /** The same role for a shorter time. */
  | (Terms & { readonly kind: "expire" })
  /** A new key for a member: `replaces` is no member from then on. Both keys sign it. */
  | (Terms & { readonly kind: "rotate"; readonly replaces: PeerId });

/** The content of an entry: a membership, its end, a policy or a successor. */
export type Statement =
  | Grant
  | { readonly kind: "revoke"; readonly subject: PeerId; readonly reason: RevokeReason }
  | { readonly kind: "policy"; readonly policy: MembershipPolicy }
  | { readonly kind: "succeed"; readonly successor: NetworkId; readonly round: number };

/** The kind of a statement. */
export type EntryKind = Statement["kind"];

/** The content of an entry without its signatures. */
export interface EntryFields {
  /** Of the network's first manifest. */
  readonly networkId: NetworkId;
  /** Entries that it follows, at most LIMITS.rosterParentCountMax; none when it follows the genesis alone. */
  readonly parents: readonly EntryId[];
  /** Its author; one of the signers. */
  readonly author: PeerId;
  /** Its signers: admins, and with a rotation both keys; at most LIMITS.signatureCountMax. */
  readonly signers: readonly PeerId[];
  /** 0, 1, 2, … of this author; never used for two different entries. */
  readonly sequence: number;
  /** Seconds since 1970; not before any parent's. */
  readonly issuedAt: number;
  readonly statement: Statement;
}

/** A signed entry of a roster. */
export interface Entry extends EntryFields {
  readonly id: EntryId;
  readonly body: Uint8Array;
  /** In the order of `signers`, empty where one is missing; not verified by reading. */
  readonly signatures: readonly Uint8Array[];
}

const KIND_NUMBERS: Readonly<Record<EntryKind, number>> = {
  admit: 1,
  promote: 2,
  expire: 3,
  rotate: 4,
  revoke: 5,
  policy: 6,
  succeed: 7,
};
const REASON_NUMBERS: Readonly<Record<RevokeReason, number>> = {
  left: 1,
  "key-lost": 2,
  "key-stolen": 3,
  misconduct: 4,
  equivocation: 5,
  other: 6,
};
/** All reasons. */
export const REVOKE_REASONS = Object.keys(REASON_NUMBERS) as readonly RevokeReason[];
const APPROVAL_NUMBERS = { person: 1, invite: 2 } as const;
const EARLIER_NUMBERS = { keep: 1, drop: 2 } as const;
const EQUIVOCATION_NUMBERS = { bar: 1, report: 2 } as const;

const NOT_SIGNED = new Uint8Array(0);
const entryIdOf = (body: Uint8Array): EntryId => contentIdOf(body) as string as EntryId;

/** Largest uint32, the end of time on the wire (the year 2106). */
export const END_OF_TIME = 0xffff_ffff;

/** Whether a statement makes somebody a member. */
export function isGrant(statement: Statement): statement is Grant {
  return "role" in statement;
}

/** An entry that nobody has signed yet; parents and signers may come in any order.  Throws: FIELD_INVALID, TOO_LARGE. */
export function createEntry(fields: EntryFields): Entry {
  const keys = fields.signers.map(publicKeyOfPeerId).sort(compareBytes);
  const signers = keys.map(peerIdFromPublicKey);
  const sorted: EntryFields = { ...fields, parents: fields.parents.toSorted(), signers };
  checkFields(sorted, keys);
  const body = encodeBody(sorted);
  return { ...sorted, id: entryIdOf(body), body, signatures: signers.map(() => NOT_SIGNED) };
}

/** The entry with this key's signature added.  Throws: KEY_INVALID when the entry does not name it as a signer. */
export function signEntry(entry: Entry, signer: Signer): Entry {
  const at = entry.signers.indexOf(signer.peer);
  if (at < 0) throw new ProtocolError("KEY_INVALID", `roster entry: ${signer.peer} is not one of its signers`);
  return {
    ...entry,
    signatures: entry.signatures.with(at, signStatement("roster-entry", entry.body, signer).signature),
  };
}

/** One entry with the signatures of both.  Throws: FIELD_INVALID when they are not the same entry. */
export function mergeSignatures(a: Entry, b: Entry): Entry {
  if (a.id !== b.id) throw invalid("signatures of another entry cannot be added");
  return { ...a, signatures: a.signatures.map((one, i) => (one.length > 0 ? one : b.signatures[i]!)) };
}

/** Signers whose signature is missing. */
export function missingSigners({ signers, signatures }: Entry): readonly PeerId[] {
  return signers.filter((_, i) => signatures[i]!.length === 0);
}

/** The first signer whose signature is there and wrong; undefined when all that are there hold. */
export function wrongSigner({ body, signers, signatures }: Entry, verify: VerifySignature): PeerId | undefined {
  const message = domainBytes("roster-entry", body);
  return signers.find((peer, i) => {
    const signature = signatures[i]!;
    return signature.length > 0 && !verify(publicKeyOfPeerId(peer), message, signature);
  });
}

/** The bytes of an entry, in canonical form. */
export function encodeEntry({ body, signatures }: Entry): Uint8Array {
  return encodeCanonical(RosterEntrySchema, { body, signatures: [...signatures] });
}

/** Read an entry; signatures are not verified.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const { body, signatures } = decodeCanonical(RosterEntrySchema, bytes, LIMITS.rosterEntryBytesMax);
  const fields = decodeBody(body);
  const isWhole = signatures.every(({ length }) => length === 0 || length === SIGNATURE_BYTES);
  if (signatures.length !== fields.signers.length || !isWhole) {
    throw new ProtocolError(
      "MALFORMED",
      `roster entry: each signer has a signature of ${SIGNATURE_BYTES} bytes or none`,
    );
  }
  return { ...fields, id: entryIdOf(body), body, signatures };
}

/** The statement of an entry, as bytes that two entries with the same statement share: for "has a person agreed to this?". */
export function statementDigest(statement: Statement): string {
  return contentIdOf(
    encodeCanonical(EntryBodySchema, { kind: KIND_NUMBERS[statement.kind], ...statementFields(statement) }),
  );
}

/** The 32 bytes of an entry's name. */
export const entryIdToBytes = (id: EntryId): Uint8Array => hexToBytes(id);

function encodeBody({ networkId, parents, author, signers, sequence, issuedAt, statement }: EntryFields): Uint8Array {
  return encodeCanonical(EntryBodySchema, {
    networkId: networkIdToBytes(networkId),
    parents: parents.map(entryIdToBytes),
    author: publicKeyOfPeerId(author),
    sequence,
    issuedAt,
    kind: KIND_NUMBERS[statement.kind],
    signers: signers.map(publicKeyOfPeerId),
    ...statementFields(statement),
  });
}

function statementFields(statement: Statement) {
  switch (statement.kind) {
    case "admit": {
      const { invite } = statement;
      return { ...termFields(statement), ...(invite && { invite: hexToBytes(invite.key), uses: invite.uses }) };
    }
    case "promote":
    case "expire":
      return termFields(statement);
    case "rotate":
      return { ...termFields(statement), replaces: publicKeyOfPeerId(statement.replaces) };
    case "revoke":
      return { subject: publicKeyOfPeerId(statement.subject), reason: REASON_NUMBERS[statement.reason] };
    case "policy": {
      const { threshold, approval, earlierUpdates, equivocation, certificateSeconds } = statement.policy;
      return {
        policy: {
          threshold,
          approval: APPROVAL_NUMBERS[approval],
          earlierUpdates: EARLIER_NUMBERS[earlierUpdates],
          equivocation: EQUIVOCATION_NUMBERS[equivocation],
          certificateSeconds,
        },
      };
    }
    case "succeed":
      return { successor: networkIdToBytes(statement.successor), round: statement.round };
  }
}

const termFields = ({ subject, role, notBefore, notAfter }: Terms) => ({
  subject: publicKeyOfPeerId(subject),
  role: ROLE_NUMBERS[role],
  notBefore,
  notAfter,
});

function decodeBody(bytes: Uint8Array): EntryFields {
  const body = decodeAnyForm(EntryBodySchema, bytes, LIMITS.rosterEntryBytesMax);
  try {
    return fieldsOf(body, bytes);
  } catch (error) {
    // An entry that is not in canonical form is refused with that code, even if more is wrong with it.
    decodeCanonical(EntryBodySchema, bytes, LIMITS.rosterEntryBytesMax);
    throw error;
  }
}

/** The typed form of a body.  Throws: MALFORMED, TOO_LARGE, FIELD_INVALID, also for all bytes that it does not encode to. */
function fieldsOf(body: EntryBody, bytes: Uint8Array): EntryFields {
  if (body.networkId.length !== DIGEST_BYTES || body.parents.some(({ length }) => length !== DIGEST_BYTES)) {
    throw new ProtocolError("MALFORMED", `roster entry: names and the network id have ${DIGEST_BYTES} bytes`);
  }
  const fields: EntryFields = {
    networkId: networkIdFromBytes(body.networkId),
    parents: body.parents.map((parent) => bytesToHex(parent) as EntryId),
    author: peerOf(body.author),
    signers: body.signers.map(peerOf),
    sequence: body.sequence,
    issuedAt: body.issuedAt,
    statement: statementOf(body),
  };
  checkFields(fields, body.signers);
  // A field that is not of this kind of statement would be lost in the typed form. So an entry is read only if it comes
  // back whole, and then it is in canonical form.
  const { networkId, parents, author, signers, sequence, issuedAt, kind } = body;
  const again = { networkId, parents, author, signers, sequence, issuedAt, kind, ...statementFields(fields.statement) };
  if (!equalBytes(encodeCanonical(EntryBodySchema, again), bytes))
    throw invalid("it has fields that are not of its kind");
  return fields;
}

function statementOf(body: EntryBody): Statement {
  const kind = nameOf(KIND_NUMBERS, body.kind, "kind");
  switch (kind) {
    case "admit": {
      const invite = body.invite.length > 0 ? { key: inviteKey(body.invite), uses: body.uses } : undefined;
      return { kind, ...termsOf(body), ...(invite && { invite }) };
    }
    case "promote":
    case "expire":
      return { kind, ...termsOf(body) };
    case "rotate":
      return { kind, ...termsOf(body), replaces: peerOf(body.replaces) };
    case "revoke":
      return { kind, subject: peerOf(body.subject), reason: nameOf(REASON_NUMBERS, body.reason, "reason") };
    case "policy": {
      const { policy } = body;
      if (policy === undefined) throw invalid("a policy entry has no policy");
      return {
        kind,
        policy: {
          threshold: policy.threshold,
          approval: nameOf(APPROVAL_NUMBERS, policy.approval, "approval"),
          earlierUpdates: nameOf(EARLIER_NUMBERS, policy.earlierUpdates, "earlier_updates"),
          equivocation: nameOf(EQUIVOCATION_NUMBERS, policy.equivocation, "equivocation"),
          certificateSeconds: policy.certificateSeconds,
        },
      };
    }
    case "succeed":
      if (body.successor.length !== DIGEST_BYTES) throw invalid(`a successor has ${DIGEST_BYTES} bytes`);
      return { kind, successor: networkIdFromBytes(body.successor), round: body.round };
  }
}

function termsOf({ subject, role: number, notBefore, notAfter }: EntryBody): Terms {
  const role = roleOfNumber(number);
  if (role === undefined) throw invalid(`role ${number} is not known`);
  return { subject: peerOf(subject), role, notBefore, notAfter };
}

function checkFields(fields: EntryFields, signerKeys: readonly Uint8Array[]): void {
  const { parents, author, signers, sequence, issuedAt, statement } = fields;
  if (parents.length > LIMITS.rosterParentCountMax) {
    throw new ProtocolError("TOO_LARGE", `roster entry: at most ${LIMITS.rosterParentCountMax} parents are allowed`, {
      count: parents.length,
    });
  }
  if (parents.some((parent, i) => i > 0 && parents[i - 1]! >= parent)) {
    throw invalid("its parents are not in rising order, or one is there twice");
  }
  if (signers.length > LIMITS.signatureCountMax) {
    throw new ProtocolError("TOO_LARGE", `roster entry: at most ${LIMITS.signatureCountMax} keys may sign it`, {
      count: signers.length,
    });
  }
  if (signerKeys.some((key, i) => i > 0 && compareBytes(signerKeys[i - 1]!, key) >= 0)) {
    throw invalid("its signers are not in rising order, or one is there twice");
  }
  if (!signers.includes(author)) throw invalid("its author is not one of its signers");
  checkUint32("sequence", sequence);
  checkUint32("issued_at", issuedAt);
  checkStatement(statement);
}

function checkStatement(statement: Statement): void {
  if (isGrant(statement)) {
    checkUint32("not_before", statement.notBefore);
    checkUint32("not_after", statement.notAfter);
    if (statement.notBefore >= statement.notAfter) throw invalid("it ends before it begins");
    if (statement.kind === "rotate" && statement.replaces === statement.subject) {
      throw invalid("a key cannot replace itself");
    }
    if (statement.kind === "admit" && statement.invite !== undefined) {
      checkRange("uses", statement.invite.uses, { min: 1, max: LIMITS.inviteUsesMax });
    }
  }
  if (statement.kind === "policy") {
    checkRange("threshold", statement.policy.threshold, { min: 1, max: LIMITS.signatureCountMax });
    const max = LIMITS.certificateSecondsMax;
    checkRange("certificate_seconds", statement.policy.certificateSeconds, { min: 60, max });
  }
  if (statement.kind === "succeed") checkRange("round", statement.round, { min: 1, max: LIMITS.roundCountMax });
}

const checkUint32 = (name: string, value: number): void => checkRange(name, value, { min: 0, max: END_OF_TIME });

function checkRange(name: string, value: number, { min, max }: { readonly min: number; readonly max: number }): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw invalid(`${name} must be an integer from ${min} to ${max}`);
  }
}

function peerOf(key: Uint8Array): PeerId {
  if (key.length !== PUBLIC_KEY_BYTES) {
    throw new ProtocolError("MALFORMED", `roster entry: a key has ${PUBLIC_KEY_BYTES} bytes`, { bytes: key.length });
  }
  return peerIdFromPublicKey(key);
}

function inviteKey(key: Uint8Array): string {
  if (key.length !== PUBLIC_KEY_BYTES) throw invalid(`the key of an invite has ${PUBLIC_KEY_BYTES} bytes`);
  return bytesToHex(key);
}

function nameOf<T extends string>(numbers: Readonly<Record<T, number>>, number: number, field: string): T {
  const name = (Object.keys(numbers) as T[]).find((key) => numbers[key] === number);
  if (name === undefined) throw invalid(`${field} ${number} is not known`);
  return name;
}

const invalid = (text: string): ProtocolError => new ProtocolError("FIELD_INVALID", `roster entry: ${text}`);
