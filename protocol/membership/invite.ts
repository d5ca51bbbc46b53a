/**
 * An invite: one line of text that lets its holder ask for admission. It holds the network id, addresses to dial, a secret,
 * and a ticket, in which an admin has signed the terms of the invite. The secret gives a key pair. Only the public key is ever
 * shown, and the holder proves the secret by a signature.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { bech32m } from "@scure/base";
import { peerIdOfAddress } from "../addresses.ts";
import { decodeCanonical, encodeCanonical } from "../canonical-message.ts";
import { DIGEST_BYTES } from "../content-id.ts";
import { createSigner, SIGNATURE_BYTES, type Signer } from "../envelope.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "../network-id.ts";
import { type PeerId, PUBLIC_KEY_BYTES, peerIdFromPublicKey, publicKeyOfPeerId } from "../peer-id.ts";
import { END_OF_TIME } from "./entry.ts";
import { InviteStringSchema, InviteTicketSchema } from "./membership_pb.ts";
import { ROLE_NUMBERS, type Role, roleOfNumber } from "./roles.ts";
import { domainBytes, signStatement, type VerifySignature, verifyStrictly } from "./signatures.ts";

/** The beginning of an invite's text. */
export const INVITE_PREFIX = "weft";
/** 128 bits: nobody guesses it, and the text stays short. */
export const INVITE_SECRET_BYTES = 16;

/** The terms of an invite. */
export interface InviteTerms {
  readonly networkId: NetworkId;
  readonly role: Role;
  /** Peers that it may admit in all, 1 to LIMITS.inviteUsesMax. */
  readonly uses: number;
  /** Seconds since 1970 up to which somebody may ask by it. */
  readonly notAfter: number;
}

/** The terms, signed by the admin who issued the invite; the secret is not in here. */
export interface InviteTicket extends InviteTerms {
  /** Public key of the invite, 64 lower-case hexadecimal digits; its name in the roster. */
  readonly key: string;
  readonly issuer: PeerId;
  readonly bytes: Uint8Array;
}

/** An invite that was parsed: its ticket, its secret and its addresses. */
export interface Invite {
  readonly ticket: InviteTicket;
  /** Signs as the invite: the holder of this signer may ask for admission. */
  readonly secret: Uint8Array;
  /** Multiaddrs that end in /p2p/ and a peer id. */
  readonly addresses: readonly string[];
}

/** The signer that a secret gives.  Throws: INVITE_INVALID. */
export function inviteSigner(secret: Uint8Array): Signer {
  if (secret.length !== INVITE_SECRET_BYTES) throw invalid(`a secret has ${INVITE_SECRET_BYTES} bytes`);
  return createSigner(sha256(domainBytes("invite-key", secret)));
}

/** A new invite from a random secret of 16 bytes.  Throws: INVITE_INVALID. */
export function createInvite(
  terms: InviteTerms & { readonly secret: Uint8Array; readonly addresses: readonly string[] },
  issuer: Signer,
): Invite {
  const { secret, addresses } = terms;
  checkTerms(terms);
  checkAddresses(addresses);
  const fields = ticketFields({ ...terms, key: inviteSigner(secret).publicKey, issuer: issuer.publicKey });
  const { signature } = signStatement("invite-ticket", encodeCanonical(InviteTicketSchema, fields), issuer);
  return { ticket: readTicket(encodeCanonical(InviteTicketSchema, { ...fields, signature })), secret, addresses };
}

/** The text of an invite, `weft1…`, in lower case. */
export function inviteText({ ticket, secret, addresses }: Invite): string {
  const { networkId, role, uses, notAfter, issuer, signature } = decodeTicket(ticket.bytes);
  const suffix = `/p2p/${ticket.issuer}`;
  const bytes = encodeCanonical(InviteStringSchema, {
    secret,
    networkId,
    role,
    uses,
    notAfter,
    issuer,
    signature,
    address: addresses.map((one) => (one.endsWith(suffix) ? one.slice(0, -suffix.length) : one)),
  });
  return bech32m.encode(INVITE_PREFIX, bech32m.toWords(bytes), LIMITS.inviteTextLengthMax);
}

/** An invite from its text; the ticket's signature is verified.  Throws: INVITE_INVALID (a line for its user). */
export function parseInvite(text: string, verify: VerifySignature = verifyStrictly): Invite {
  const fields = decodeText(text);
  const { secret, address, networkId, role, uses, notAfter, issuer, signature } = fields;
  if (secret.length !== INVITE_SECRET_BYTES) throw invalid(`a secret has ${INVITE_SECRET_BYTES} bytes`);
  const key = inviteSigner(secret).publicKey;
  const ticket = readTicket(
    encodeCanonical(InviteTicketSchema, { networkId, key, role, uses, notAfter, issuer, signature }),
  );
  if (!verifyTicket(ticket, verify)) throw invalid("its admin did not sign these terms; ask for it again");
  const addresses = address.map((one) => (one.includes("/p2p/") ? one : `${one}/p2p/${ticket.issuer}`));
  checkAddresses(addresses);
  const invite = { ticket, secret, addresses };
  // One text for one invite: an address that could have been written shorter is another text.
  if (inviteText(invite) !== text.toLowerCase()) throw invalid("it is not written as an invite is");
  return invite;
}

/** Read a ticket; its signature is not verified.  Throws: INVITE_INVALID. */
export function readTicket(bytes: Uint8Array): InviteTicket {
  const { networkId, key, role: number, uses, notAfter, issuer, signature } = decodeTicket(bytes);
  const lengths = [networkId.length, key.length, issuer.length, signature.length];
  const expected = [DIGEST_BYTES, PUBLIC_KEY_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES];
  if (lengths.some((length, i) => length !== expected[i]))
    throw invalid("a key, an id or a signature has a wrong length");
  const role = roleOfNumber(number);
  if (role === undefined) throw invalid(`role ${number} is not known`);
  const terms = { networkId: networkIdFromBytes(networkId), role, uses, notAfter };
  checkTerms(terms);
  return { ...terms, key: bytesToHex(key), issuer: peerIdFromPublicKey(issuer), bytes };
}

/** Whether the issuer signed the ticket; whether the issuer is an admin is another question. */
export function verifyTicket(ticket: InviteTicket, verify: VerifySignature): boolean {
  const { networkId, key, role, uses, notAfter, issuer, signature } = decodeTicket(ticket.bytes);
  const unsigned = encodeCanonical(InviteTicketSchema, { networkId, key, role, uses, notAfter, issuer });
  return verify(publicKeyOfPeerId(ticket.issuer), domainBytes("invite-ticket", unsigned), signature);
}

/** Bytes that a ticket may have: 5 fields of 32 or 64 bytes and three numbers. */
const TICKET_BYTES_MAX = 224;

function decodeTicket(bytes: Uint8Array) {
  try {
    return decodeCanonical(InviteTicketSchema, bytes, TICKET_BYTES_MAX);
  } catch (cause) {
    if (cause instanceof ProtocolError) throw invalid("its ticket does not decode", cause);
    throw cause;
  }
}

function decodeText(text: string) {
  const bytesMax = LIMITS.inviteTextLengthMax;
  if (text.length > bytesMax) throw invalid(`${text.length} characters, at most ${bytesMax} are allowed`);
  let bytes: Uint8Array;
  try {
    const { prefix, words } = bech32m.decode(text as `${string}1${string}`, bytesMax);
    if (prefix !== INVITE_PREFIX) throw invalid(`an invite begins with ${INVITE_PREFIX}1`);
    bytes = bech32m.fromWords(words);
  } catch (cause) {
    if (cause instanceof ProtocolError) throw cause;
    throw invalid(
      `its checksum is wrong: a character is missing or mistyped; paste the whole ${INVITE_PREFIX}1… text`,
      cause,
    );
  }
  try {
    return decodeCanonical(InviteStringSchema, bytes, bytesMax);
  } catch (cause) {
    if (cause instanceof ProtocolError)
      throw invalid("it does not decode; it may be of another version of weft", cause);
    throw cause;
  }
}

function ticketFields(terms: InviteTerms & { readonly key: Uint8Array; readonly issuer: Uint8Array }) {
  const { networkId, role, uses, notAfter, key, issuer } = terms;
  return { networkId: networkIdToBytes(networkId), key, role: ROLE_NUMBERS[role], uses, notAfter, issuer };
}

function checkTerms({ uses, notAfter }: Pick<InviteTerms, "uses" | "notAfter">): void {
  if (!Number.isInteger(uses) || uses < 1 || uses > LIMITS.inviteUsesMax) {
    throw invalid(`uses must be an integer from 1 to ${LIMITS.inviteUsesMax}`);
  }
  if (!Number.isInteger(notAfter) || notAfter < 0 || notAfter > END_OF_TIME) throw invalid("its end is no time");
}

function checkAddresses(addresses: readonly string[]): void {
  if (addresses.length > LIMITS.inviteAddressCountMax) {
    throw invalid(`at most ${LIMITS.inviteAddressCountMax} addresses are allowed`);
  }
  if (addresses.some((address) => peerIdOfAddress(address) === undefined)) {
    throw invalid("an address must be a multiaddr that ends in /p2p/ and a peer id");
  }
}

const invalid = (text: string, cause?: unknown): ProtocolError =>
  new ProtocolError("INVITE_INVALID", `invite: ${text}`, {}, cause === undefined ? undefined : { cause });
