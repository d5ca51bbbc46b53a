/**
 * The handshake: the side that dialled says which network it is in, the other side welcomes it or says why not. The
 * connection has authenticated both peers already, so nothing here is signed.
 */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { DIGEST_BYTES } from "./content-id.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "./network-id.ts";
import {
  canonicalManifestBytes,
  type ManifestDifference,
  manifestDifference,
  manifestFromBytes,
  type NetworkManifest,
  networkId,
} from "./network-manifest.ts";
import type { PeerId } from "./peer-id.ts";
import { PROTOCOL_VERSION } from "./topic.ts";
import { HandshakeHelloSchema, HandshakeReplySchema } from "./wire_pb.ts";

export type HandshakeCode = "WELCOME" | "VERSION" | "NETWORK" | "NOT_A_MEMBER" | "BUSY" | "MALFORMED";

/** Number of each code on the wire. */
export const HANDSHAKE_CODES: Readonly<Record<HandshakeCode, number>> = {
  WELCOME: 1,
  VERSION: 2,
  NETWORK: 3,
  NOT_A_MEMBER: 4,
  BUSY: 5,
  MALFORMED: 6,
};

export interface Hello {
  readonly protocolVersion: number;
  readonly networkId: NetworkId;
  readonly manifest: NetworkManifest;
}

export interface Reply {
  readonly code: HandshakeCode;
  readonly protocolVersion: number;
  readonly networkId: NetworkId;
  /** The answering side's manifest when the code is NETWORK. */
  readonly manifest: NetworkManifest | undefined;
}

/** What the answering side is: its network, and whom it lets in. */
export interface HandshakeContext {
  readonly manifest: NetworkManifest;
  readonly isMember: (peer: PeerId) => boolean;
  /** Whether this side has no room for another neighbour. */
  readonly busy: boolean;
}

/** The first message of a connection. */
export function encodeHello(manifest: NetworkManifest): Uint8Array {
  return encodeCanonical(HandshakeHelloSchema, {
    networkId: networkIdToBytes(networkId(manifest)),
    protocolVersion: PROTOCOL_VERSION,
    manifest: canonicalManifestBytes(manifest),
  });
}

/**
 * Read a hello.  A hello of another protocol version is read no further than its version.
 * Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, MANIFEST_INVALID.
 */
export function decodeHello(bytes: Uint8Array): Hello | { readonly protocolVersion: number } {
  const { protocolVersion, ...hello } = decodeCanonical(HandshakeHelloSchema, bytes, LIMITS.handshakeBytesMax);
  if (protocolVersion !== PROTOCOL_VERSION) return { protocolVersion };
  const manifest = manifestFromBytes(hello.manifest);
  if (hello.networkId.length !== DIGEST_BYTES || networkId(manifest) !== networkIdFromBytes(hello.networkId)) {
    throw new ProtocolError("MALFORMED", "hello: the network id is not the hash of the manifest");
  }
  return { protocolVersion, networkId: networkId(manifest), manifest };
}

/** The answer to a hello from `peer`, whatever its bytes are.  Throws: nothing. */
export function answerHello(
  bytes: Uint8Array,
  peer: PeerId,
  context: HandshakeContext,
): { readonly code: HandshakeCode; readonly reply: Uint8Array; readonly difference: ManifestDifference | undefined } {
  const { code, difference } = judgeHello(bytes, peer, context);
  const reply = encodeCanonical(HandshakeReplySchema, {
    code: HANDSHAKE_CODES[code],
    protocolVersion: PROTOCOL_VERSION,
    networkId: networkIdToBytes(networkId(context.manifest)),
    manifest: code === "NETWORK" ? canonicalManifestBytes(context.manifest) : new Uint8Array(),
  });
  return { code, reply, difference };
}

/** Read a reply.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, MANIFEST_INVALID, FIELD_INVALID (a code not known). */
export function decodeReply(bytes: Uint8Array): Reply {
  const reply = decodeCanonical(HandshakeReplySchema, bytes, LIMITS.handshakeBytesMax);
  const code = codeOf(reply.code);
  if (code === undefined) {
    throw new ProtocolError("FIELD_INVALID", `handshake reply: code ${reply.code} is not known`, { code: reply.code });
  }
  if (reply.networkId.length !== DIGEST_BYTES || (code === "NETWORK") !== reply.manifest.length > 0) {
    throw new ProtocolError("MALFORMED", "handshake reply: its fields do not belong together", { code });
  }
  const id = networkIdFromBytes(reply.networkId);
  const manifest = code === "NETWORK" ? manifestFromBytes(reply.manifest) : undefined;
  if (manifest !== undefined && networkId(manifest) !== id) {
    throw new ProtocolError("MALFORMED", "handshake reply: the network id is not the hash of the manifest");
  }
  return { code, protocolVersion: reply.protocolVersion, networkId: id, manifest };
}

/** One line for the person on the side that dialled: why the two do not go together; undefined when they do. */
export function explainReply(reply: Reply, own: NetworkManifest): string | undefined {
  switch (reply.code) {
    case "WELCOME":
      if (reply.protocolVersion === PROTOCOL_VERSION && reply.networkId === networkId(own)) return undefined;
      return "the peer's welcome is for another network or protocol version";
    case "VERSION":
      return `the peer speaks protocol version ${reply.protocolVersion}, this one ${PROTOCOL_VERSION}`;
    case "NETWORK":
      return explainDifference(reply.manifest === undefined ? undefined : manifestDifference(own, reply.manifest));
    case "NOT_A_MEMBER":
      return "the peer does not count this one among the members of the network";
    case "BUSY":
      return "the peer has no room for another neighbour";
    case "MALFORMED":
      return "the peer could not read this one's hello";
  }
}

/** One line: the field in which two networks differ (a: this peer's, b: the other's). */
export function explainDifference(difference: ManifestDifference | undefined): string {
  if (difference === undefined) return "the peer is in another network";
  const { path, a, b } = difference;
  return `the peer is in another network: ${path} is ${shortened(b)} there and ${shortened(a)} here`;
}

const codeOf = (number: number): HandshakeCode | undefined =>
  (Object.keys(HANDSHAKE_CODES) as HandshakeCode[]).find((code) => HANDSHAKE_CODES[code] === number);

/** Characters of a value that help to tell it from another. */
const SHOWN_MAX = 80;
const shortened = (text: string): string => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);

function judgeHello(
  bytes: Uint8Array,
  peer: PeerId,
  context: HandshakeContext,
): { readonly code: HandshakeCode; readonly difference: ManifestDifference | undefined } {
  const refused = (code: HandshakeCode) => ({ code, difference: undefined });
  let hello: ReturnType<typeof decodeHello>;
  try {
    hello = decodeHello(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return refused("MALFORMED");
    throw error;
  }
  if (!("manifest" in hello)) return refused("VERSION");
  const difference = manifestDifference(context.manifest, hello.manifest);
  if (difference !== undefined) return { code: "NETWORK", difference };
  if (!context.isMember(peer)) return refused("NOT_A_MEMBER");
  return refused(context.busy ? "BUSY" : "WELCOME");
}
