/**
 * The envelope: a body, its author's public key, and the author's signature over the kind's own domain and the body.
 * No two kinds share a domain, so a signature given for one kind of message never counts for another.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { type PeerId, PUBLIC_KEY_BYTES, peerIdFromPublicKey } from "./peer-id.ts";
import { EnvelopeSchema } from "./wire_pb.ts";

/** The kinds of message that are signed in envelopes. Each has a signature domain of its own. */
export type MessageKind = "update" | "announcement" | "sketch";

/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;
/** Bytes of an Ed25519 secret key. */
export const SECRET_KEY_BYTES = 32;

/** Number of each kind on the wire, and the longest envelope that may carry it. */
export const MESSAGE_KINDS: Readonly<Record<MessageKind, { readonly number: number; readonly bytesMax: number }>> = {
  update: { number: 1, bytesMax: LIMITS.updateBytesMax },
  announcement: { number: 2, bytesMax: LIMITS.announcementBytesMax },
  sketch: { number: 3, bytesMax: LIMITS.sketchBytesMax },
};

/** A signer of a peer's messages; the key itself stays inside. */
export interface Signer {
  readonly peer: PeerId;
  readonly publicKey: Uint8Array;
  /** Ed25519 signature (RFC 8032), 64 bytes; deterministic. */
  sign(message: Uint8Array): Uint8Array;
}

/** A signed message: its kind, its author and its body. */
export interface Envelope {
  readonly kind: MessageKind;
  readonly author: PeerId;
  readonly publicKey: Uint8Array;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** A signer from an Ed25519 secret key of 32 bytes (RFC 8032 seed; the first half of libp2p's raw private key). */
export function createSigner(secretKey: Uint8Array): Signer {
  if (secretKey.length !== SECRET_KEY_BYTES) {
    throw new ProtocolError(
      "KEY_INVALID",
      `an Ed25519 secret key is ${SECRET_KEY_BYTES} bytes, not ${secretKey.length}`,
    );
  }
  const key = secretKey.slice();
  const publicKey = ed25519.getPublicKey(key);
  return {
    peer: peerIdFromPublicKey(publicKey),
    publicKey,
    sign: (message) => ed25519.sign(message, key),
  };
}

/** The bytes that a signature of this kind covers: `weft/<kind>/1`, a zero byte, the body. */
export function signedBytes(kind: MessageKind, body: Uint8Array): Uint8Array {
  return concatBytes(utf8ToBytes(`weft/${kind}/1\0`), body);
}

/** Sign a body and put it into an envelope.  Throws: TOO_LARGE. */
export function sealEnvelope(kind: MessageKind, body: Uint8Array, signer: Signer): Uint8Array {
  const bytes = encodeCanonical(EnvelopeSchema, {
    kind: MESSAGE_KINDS[kind].number,
    author: signer.publicKey,
    body,
    signature: signer.sign(signedBytes(kind, body)),
  });
  const { bytesMax } = MESSAGE_KINDS[kind];
  if (bytes.length > bytesMax) {
    throw new ProtocolError("TOO_LARGE", `${kind}: ${bytes.length} bytes, at most ${bytesMax} are allowed`, {
      bytes: bytes.length,
      bytesMax,
    });
  }
  return bytes;
}

/**
 * Read an envelope that should be of one kind; the signature is not verified yet.
 * Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, WRONG_KIND.
 */
export function openEnvelope(kind: MessageKind, bytes: Uint8Array): Envelope {
  const { number, bytesMax } = MESSAGE_KINDS[kind];
  const { kind: found, author, body, signature } = decodeCanonical(EnvelopeSchema, bytes, bytesMax);
  if (author.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) {
    throw new ProtocolError(
      "MALFORMED",
      `Envelope: the author has ${PUBLIC_KEY_BYTES} bytes and the signature ${SIGNATURE_BYTES}`,
      { author: author.length, signature: signature.length },
    );
  }
  if (found !== number) {
    throw new ProtocolError("WRONG_KIND", `Envelope: kind ${found}, expected ${number} (${kind})`, { found, number });
  }
  return { kind, author: peerIdFromPublicKey(author), publicKey: author, body, signature };
}

/**
 * Whether the author signed this body as this kind.  RFC 8032 with canonical encodings only, and no key of small order
 * (such a key could verify several messages with one signature).
 */
export function verifyEnvelope(
  { kind, publicKey, body, signature }: Envelope,
  verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean = verifySlowly,
): boolean {
  return verify(publicKey, signedBytes(kind, body), signature);
}

const verifySlowly = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  ed25519.verify(signature, message, publicKey, { zip215: false });
