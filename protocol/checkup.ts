/** Checkups: a neighbour tells the time of its clock, and whether it gets through to the asking peer's addresses. */
import { peerIdOfAddress } from "./addresses.ts";
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { PeerId } from "./peer-id.ts";
import { CheckupReplySchema, CheckupRequestSchema } from "./wire_pb.ts";

/** The answer to a checkup. */
export interface CheckupReply {
  /** Milliseconds since the Unix epoch, by the answering peer's clock. */
  readonly timeMs: number;
  /** One for each address of the request, in their order. */
  readonly reached: readonly boolean[];
}

/** A request of `peer`.  Throws: TOO_LARGE when there are too many addresses, FIELD_INVALID when one is not its own. */
export function encodeCheckupRequest(addresses: readonly string[], peer: PeerId): Uint8Array {
  checkAddresses(addresses, peer);
  return encodeCanonical(CheckupRequestSchema, { address: [...addresses] });
}

/** The addresses that `peer` asks to be dialled at.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID. */
export function decodeCheckupRequest(bytes: Uint8Array, peer: PeerId): readonly string[] {
  const { address } = decodeCanonical(CheckupRequestSchema, bytes, LIMITS.checkupBytesMax);
  checkAddresses(address, peer);
  return address;
}

/** The bytes of an answer. */
export function encodeCheckupReply({ timeMs, reached }: CheckupReply): Uint8Array {
  return encodeCanonical(CheckupReplySchema, { timeMs: BigInt(timeMs), reached: [...reached] });
}

/**
 * The answer to a request with `count` addresses.
 * Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID (another count, or a time that no clock shows).
 */
export function decodeCheckupReply(bytes: Uint8Array, count: number): CheckupReply {
  const { timeMs, reached } = decodeCanonical(CheckupReplySchema, bytes, LIMITS.checkupBytesMax);
  if (timeMs > BigInt(Number.MAX_SAFE_INTEGER) || reached.length !== count) {
    throw new ProtocolError("FIELD_INVALID", "checkup reply: its fields do not answer the request", { count });
  }
  return { timeMs: Number(timeMs), reached };
}

function checkAddresses(addresses: readonly string[], peer: PeerId): void {
  const countMax = LIMITS.addressesPerPeerMax;
  if (addresses.length > countMax) {
    const text = `checkup: ${addresses.length} addresses, at most ${countMax} are allowed`;
    throw new ProtocolError("TOO_LARGE", text, { count: addresses.length, countMax });
  }
  if (addresses.some((address) => peerIdOfAddress(address) !== peer)) {
    throw new ProtocolError("FIELD_INVALID", "checkup: every address must end in /p2p/ and the asking peer's id", {});
  }
}
