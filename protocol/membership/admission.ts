/**
 * Requests of admission by an invite, and their answers. The candidate and the invite's key both sign a request. So it
 * proves the secret without giving it away, and nobody else can use it: it admits this one key. An admin signs the answer.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes } from "@noble/hashes/utils.js";
import { decodeCanonical, encodeCanonical } from "../canonical-message.ts";
import { type ContentId, contentIdFromBytes, contentIdOf, contentIdToBytes, DIGEST_BYTES } from "../content-id.ts";
import { SIGNATURE_BYTES, type Signer } from "../envelope.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "../network-id.ts";
import { type PeerId, PUBLIC_KEY_BYTES, peerIdFromPublicKey, publicKeyOfPeerId } from "../peer-id.ts";
import { decodeEntry, type Statement } from "./entry.ts";
import { type Invite, type InviteTicket, inviteSigner, readTicket, verifyTicket } from "./invite.ts";
import {
  AdmissionReplyBodySchema,
  AdmissionReplySchema,
  AdmissionRequestBodySchema,
  AdmissionRequestSchema,
} from "./membership_pb.ts";
import { type RosterState, roleOf } from "./roster-state.ts";
import { isWithin } from "./roster-view.ts";
import { domainBytes, signStatement, type VerifySignature, verifyStrictly } from "./signatures.ts";

/** A request for admission that was decoded. */
export interface AdmissionRequest {
  readonly ticket: InviteTicket;
  readonly candidate: PeerId;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** The candidate's name for itself; hearsay, printable ASCII. */
  readonly label: string;
  /** Digest of the signed body: the request's name in answers. */
  readonly id: ContentId;
}

/** Clauses of README.md, 10.7, in the order in which they are looked at; DECLINED is a person's decision. */
export const ADMISSION_REFUSALS = [
  "MALFORMED",
  "NETWORK_MISMATCH",
  "ISSUER_NOT_ADMIN",
  "INVITE_EXPIRED",
  "EARLY",
  "BARRED",
  "REMOVED",
  "ALREADY_MEMBER",
  "INVITE_USED",
  "TICKET_INVALID",
  "SIGNATURE_INVALID",
  "PROOF_INVALID",
  "DECLINED",
] as const;
/** A reason for which a request is refused. */
export type AdmissionRefusal = (typeof ADMISSION_REFUSALS)[number];

/** The verdict on a request. */
export type AdmissionJudgement =
  | { readonly isAccepted: true; readonly request: AdmissionRequest; readonly needsPerson: boolean }
  | { readonly isAccepted: false; readonly code: AdmissionRefusal; readonly request: AdmissionRequest | undefined };

/** The answer to a request, without its signature. */
export type AdmissionAnswer =
  | { readonly code: "pending" }
  /** The bytes of the entry that admits. */
  | { readonly code: "admitted"; readonly entry: Uint8Array }
  | { readonly code: "denied"; readonly reason: AdmissionRefusal };

/** A signed answer, as the one that asked reads it. */
export type AdmissionReply = AdmissionAnswer & {
  readonly networkId: NetworkId;
  readonly request: ContentId;
  readonly admin: PeerId;
};

/** The request of an invite's holder.  Throws: FIELD_INVALID (the label), INVITE_INVALID. */
export function createAdmissionRequest(
  invite: Pick<Invite, "ticket" | "secret">,
  { label, issuedAt }: { readonly label: string; readonly issuedAt: number },
  candidate: Signer,
): Uint8Array {
  if (!isLabel(label)) {
    const text = `a label has at most ${LIMITS.labelLengthMax} characters of printable ASCII`;
    throw new ProtocolError("FIELD_INVALID", `admission request: ${text}`);
  }
  const fields = { ticket: invite.ticket.bytes, candidate: candidate.publicKey, issuedAt, label };
  const body = encodeCanonical(AdmissionRequestBodySchema, fields);
  const { signature } = signStatement("admission-request", body, candidate);
  const { signature: proof } = signStatement("admission-proof", body, inviteSigner(invite.secret));
  return encodeCanonical(AdmissionRequestSchema, { body, signature, proof });
}

/** Everything that a member knows when it judges a request. */
export interface AdmissionContext {
  readonly state: RosterState;
  /** RosterLog.usesOf: other peers that an invite has admitted. */
  readonly usesOf: (invite: string, subject: PeerId) => number;
  /** Seconds since 1970. */
  readonly nowSeconds: number;
  readonly verify?: VerifySignature;
}

/** Whether an admin may sign the requested entry, and whether a person has to agree first.  Throws: nothing. */
export function judgeAdmissionRequest(bytes: Uint8Array, context: AdmissionContext): AdmissionJudgement {
  const { state, usesOf, nowSeconds, verify = verifyStrictly } = context;
  let decoded: ReturnType<typeof decodeRequest>;
  try {
    decoded = decodeRequest(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return { isAccepted: false, code: "MALFORMED", request: undefined };
    throw error;
  }
  const { request, body, signature, proof } = decoded;
  const { ticket, candidate } = request;
  const refused = (code: AdmissionRefusal): AdmissionJudgement => ({ isAccepted: false, code, request });
  if (ticket.networkId !== state.networkId) return refused("NETWORK_MISMATCH");
  if (roleOf(state, ticket.issuer, nowSeconds) !== "admin") return refused("ISSUER_NOT_ADMIN");
  if (nowSeconds > ticket.notAfter + LIMITS.clockSkewSeconds) return refused("INVITE_EXPIRED");
  if (request.issuedAt > nowSeconds + LIMITS.clockSkewSeconds) return refused("EARLY");
  if (state.barred.has(candidate)) return refused("BARRED");
  if (state.removed.has(candidate)) return refused("REMOVED");
  const standing = state.members.get(candidate);
  if (standing !== undefined && isWithin(standing, nowSeconds)) return refused("ALREADY_MEMBER");
  if (usesOf(ticket.key, candidate) >= ticket.uses) return refused("INVITE_USED");
  if (!verifyTicket(ticket, verify)) return refused("TICKET_INVALID");
  const key = publicKeyOfPeerId(candidate);
  if (!verify(key, domainBytes("admission-request", body), signature)) return refused("SIGNATURE_INVALID");
  const invite = contentIdToBytes(ticket.key as ContentId);
  if (!verify(invite, domainBytes("admission-proof", body), proof)) return refused("PROOF_INVALID");
  return { isAccepted: true, request, needsPerson: state.policy.approval === "person" || ticket.role === "admin" };
}

/** The statement of an entry that grants a request: for `seconds` from now, at most as long as the policy allows. */
export function admissionStatement(
  { ticket, candidate }: AdmissionRequest,
  { state, nowSeconds, seconds }: { state: RosterState; nowSeconds: number; seconds: number },
): Statement {
  return {
    kind: "admit",
    subject: candidate,
    role: ticket.role,
    notBefore: nowSeconds,
    notAfter: nowSeconds + Math.min(seconds, state.policy.certificateSeconds),
    invite: { key: ticket.key, uses: ticket.uses },
  };
}

/** Twenty digits for two people to compare by phone; they stand for the candidate and the network. */
export function fingerprintOf(networkId: NetworkId, candidate: PeerId): string {
  const statement = concatBytes(networkIdToBytes(networkId), publicKeyOfPeerId(candidate));
  const digest = sha256(domainBytes("fingerprint", statement)).subarray(0, 16);
  const number = digest.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) % 10n ** 20n;
  return (number.toString().padStart(20, "0").match(/.{4}/g) ?? []).join(" ");
}

/** An admin's answer to a request. */
export function signAdmissionReply(
  answer: AdmissionAnswer,
  { networkId, request }: { readonly networkId: NetworkId; readonly request: ContentId },
  admin: Signer,
): Uint8Array {
  const body = encodeCanonical(AdmissionReplyBodySchema, {
    networkId: networkIdToBytes(networkId),
    request: contentIdToBytes(request),
    code: REPLY_NUMBERS[answer.code],
    reason: answer.code === "denied" ? ADMISSION_REFUSALS.indexOf(answer.reason) + 1 : 0,
    entry: answer.code === "admitted" ? answer.entry : new Uint8Array(),
  });
  const { key, signature } = signStatement("admission-reply", body, admin);
  return encodeCanonical(AdmissionReplySchema, { body, admin: key, signature });
}

/**
 * Read an answer; whether `admin` is one, and whether the entry holds, the roster says.
 * Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID, SIGNATURE_INVALID.
 */
export function readAdmissionReply(bytes: Uint8Array, verify: VerifySignature = verifyStrictly): AdmissionReply {
  const reply = decodeCanonical(AdmissionReplySchema, bytes, LIMITS.admissionReplyBytesMax);
  const body = decodeCanonical(AdmissionReplyBodySchema, reply.body, LIMITS.admissionReplyBytesMax);
  const lengths = [body.networkId.length, body.request.length, reply.admin.length, reply.signature.length];
  const expected = [DIGEST_BYTES, DIGEST_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES];
  if (lengths.some((length, i) => length !== expected[i])) throw malformed("reply");
  const answer = answerOf(body.code, body.reason, body.entry);
  if (!verify(reply.admin, domainBytes("admission-reply", reply.body), reply.signature)) {
    throw new ProtocolError("SIGNATURE_INVALID", "admission reply: its signature is not over it");
  }
  const networkId = networkIdFromBytes(body.networkId);
  return { ...answer, networkId, request: contentIdFromBytes(body.request), admin: peerIdFromPublicKey(reply.admin) };
}

const REPLY_NUMBERS = { pending: 1, admitted: 2, denied: 3 } as const;

function answerOf(code: number, reason: number, entry: Uint8Array): AdmissionAnswer {
  const refusal = ADMISSION_REFUSALS[reason - 1];
  if (code === REPLY_NUMBERS.pending && reason === 0 && entry.length === 0) return { code: "pending" };
  if (code === REPLY_NUMBERS.denied && refusal !== undefined && entry.length === 0)
    return { code: "denied", reason: refusal };
  if (code === REPLY_NUMBERS.admitted && reason === 0) {
    decodeEntry(entry);
    return { code: "admitted", entry };
  }
  throw new ProtocolError("FIELD_INVALID", "admission reply: its fields do not belong together");
}

function decodeRequest(bytes: Uint8Array) {
  const { body, signature, proof } = decodeCanonical(AdmissionRequestSchema, bytes, LIMITS.admissionRequestBytesMax);
  const fields = decodeCanonical(AdmissionRequestBodySchema, body, LIMITS.admissionRequestBytesMax);
  const isWhole = signature.length === SIGNATURE_BYTES && proof.length === SIGNATURE_BYTES;
  if (!isWhole || fields.candidate.length !== PUBLIC_KEY_BYTES || !isLabel(fields.label)) throw malformed("request");
  const request: AdmissionRequest = {
    ticket: readTicket(fields.ticket),
    candidate: peerIdFromPublicKey(fields.candidate),
    issuedAt: fields.issuedAt,
    label: fields.label,
    id: contentIdOf(body),
  };
  return { request, body, signature, proof };
}

const isLabel = (text: string): boolean => text.length <= LIMITS.labelLengthMax && /^[ -~]*$/.test(text);

const malformed = (what: string): ProtocolError =>
  new ProtocolError("MALFORMED", `admission ${what}: a key, an id, a signature or the label has a wrong length`);
