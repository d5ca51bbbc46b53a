/**
 * Addresses: where a peer and its neighbours can be dialled, so that any of them may vanish and the others still find
 * each other. They are hearsay: a peer that answers at one has to prove its identity and pass the handshake.
 */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { asPeerId, type PeerId } from "./peer-id.ts";
import { AddressesSchema } from "./wire_pb.ts";

/** README.md 7.8; ASCII only, so that characters are bytes. */
const ADDRESS = /^(?:\/[!-.0-~]+)+\/p2p\/(?<peer>[!-.0-~]+)$/;

/** The peer that an address leads to; undefined when the text is no address (README.md 7.8). */
export function peerIdOfAddress(address: string): PeerId | undefined {
  if (address.length > LIMITS.addressBytesMax) return undefined;
  const peer = ADDRESS.exec(address)?.groups?.peer;
  return peer === undefined ? undefined : asPeerId(peer);
}

/** An Addresses message.  Throws: TOO_LARGE when there are too many, FIELD_INVALID when a text is no address. */
export function encodeAddresses(addresses: readonly string[]): Uint8Array {
  checkCount(addresses.length);
  for (const [index, text] of addresses.entries()) {
    if (peerIdOfAddress(text) === undefined) {
      const what = `addresses: entry ${index} must be a multiaddr of at most ${LIMITS.addressBytesMax} bytes`;
      throw new ProtocolError("FIELD_INVALID", `${what} that ends in /p2p/ and a peer id`, { index });
    }
  }
  return encodeCanonical(AddressesSchema, { address: [...addresses] });
}

/**
 * The addresses of an Addresses message, in its order. An entry that is no address, comes twice, or is one too many of its
 * peer is left out.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL.
 */
export function decodeAddresses(bytes: Uint8Array): readonly string[] {
  const { address } = decodeCanonical(AddressesSchema, bytes, LIMITS.addressesBytesMax);
  checkCount(address.length);
  const counts = new Map<PeerId, number>();
  return [...new Set(address)].filter((text) => {
    const peer = peerIdOfAddress(text);
    if (peer === undefined) return false;
    const count = (counts.get(peer) ?? 0) + 1;
    counts.set(peer, count);
    return count <= LIMITS.addressesPerPeerMax;
  });
}

function checkCount(count: number): void {
  const { addressesCountMax } = LIMITS;
  if (count > addressesCountMax) {
    const text = `addresses: ${count} addresses, at most ${addressesCountMax} are allowed`;
    throw new ProtocolError("TOO_LARGE", text, { count, countMax: addressesCountMax });
  }
}
