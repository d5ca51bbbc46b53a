/** The name of a network: SHA-256 of its manifest's canonical bytes, in 64 lower-case hexadecimal digits. */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { DIGEST_BYTES } from "./content-id.ts";
import { ProtocolError } from "./errors.ts";

declare const brand: unique symbol;
/** SHA-256 of a manifest's canonical bytes, in hex. */
export type NetworkId = string & { readonly [brand]: "NetworkId" };

/** A network id from its text form.  Throws: NETWORK_ID_INVALID. */
export function parseNetworkId(text: string): NetworkId {
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new ProtocolError("NETWORK_ID_INVALID", "a network id is 64 lower-case hexadecimal digits", {
      length: text.length,
    });
  }
  return text as NetworkId;
}

/** A network id from its 32 bytes on the wire.  Throws: NETWORK_ID_INVALID. */
export function networkIdFromBytes(bytes: Uint8Array): NetworkId {
  if (bytes.length !== DIGEST_BYTES) {
    throw new ProtocolError("NETWORK_ID_INVALID", `a network id is ${DIGEST_BYTES} bytes, not ${bytes.length}`);
  }
  return bytesToHex(bytes) as NetworkId;
}

/** The 32 bytes of a network id. */
export function networkIdToBytes(id: NetworkId): Uint8Array {
  return hexToBytes(id);
}
