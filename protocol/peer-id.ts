/**
 * A peer is its Ed25519 public key. As text it is the libp2p peer id, the base58btc form of the identity multihash
 * of the key's protobuf envelope (libp2p specs, peer-ids: keys of at most 42 bytes are inlined).
 */
import { base58btc } from "multiformats/bases/base58";
import { ProtocolError } from "./errors.ts";

declare const brand: unique symbol;
/** Text form, 52 characters starting with `12D3KooW`. */
export type PeerId = string & { readonly [brand]: "PeerId" };

/** Of an Ed25519 public key. */
export const PUBLIC_KEY_BYTES = 32;

/** Identity multihash (0x00) of 36 bytes (0x24): protobuf { type: Ed25519 (08 01), data: 32 bytes (12 20) }. */
const PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);

/**
 * The 52 characters that the text of 38 bytes needs, of base58btc's alphabet; other text is refused before it is decoded.
 * The library takes characters above U+00FF for zeros, which would give a peer a second name.
 */
const TEXT = /^[1-9A-HJ-NP-Za-km-z]{52}$/;

/** Base58 costs microseconds, and a roster names the same peers again and again: so many of them are remembered. */
const REMEMBERED_MAX = 4096;
const idOfKey = new Map<string, PeerId>();
const keyOfId = new Map<string, Uint8Array>();

/** Into a map that is emptied when it is full. */
function remember<V>(map: Map<string, V>, key: string, value: V): V {
  if (map.size >= REMEMBERED_MAX) map.clear();
  map.set(key, value);
  return value;
}

/** The peer id of an Ed25519 public key of 32 bytes.  Throws: PEER_ID_INVALID. */
export function peerIdFromPublicKey(publicKey: Uint8Array): PeerId {
  if (publicKey.length !== PUBLIC_KEY_BYTES) {
    throw new ProtocolError(
      "PEER_ID_INVALID",
      `an Ed25519 public key is ${PUBLIC_KEY_BYTES} bytes, not ${publicKey.length}`,
    );
  }
  const name = latin1(publicKey);
  const known = idOfKey.get(name);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(PREFIX.length + PUBLIC_KEY_BYTES);
  bytes.set(PREFIX);
  bytes.set(publicKey, PREFIX.length);
  return remember(idOfKey, name, base58btc.baseEncode(bytes) as PeerId);
}

/** The Ed25519 public key, 32 bytes of the caller's own, that a peer id stands for.  Throws: PEER_ID_INVALID. */
export function publicKeyOfPeerId(text: string): Uint8Array {
  const known = keyOfId.get(text);
  if (known !== undefined) return known.slice();
  const bytes = TEXT.test(text) ? base58btc.baseDecode(text) : undefined;
  if (bytes?.length !== PREFIX.length + PUBLIC_KEY_BYTES || PREFIX.some((byte, i) => bytes[i] !== byte)) {
    throw new ProtocolError("PEER_ID_INVALID", "a peer id is an Ed25519 libp2p peer id such as 12D3KooW…", {
      length: text.length,
    });
  }
  return remember(keyOfId, text, bytes.slice(PREFIX.length)).slice();
}

/** Bytes as a text of as many characters, to be the key of a map. */
export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** A peer id from its text form.  Throws: PEER_ID_INVALID. */
export function parsePeerId(text: string): PeerId {
  publicKeyOfPeerId(text);
  return text as PeerId;
}

/** The peer id that a text is; undefined when it is none. */
export function asPeerId(text: string): PeerId | undefined {
  try {
    return parsePeerId(text);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
