/**
 * The handshake: the side that dialled says which network it is in, the other side welcomes it or says why not. The
 * connection has authenticated both peers already, so nothing here is signed.
 */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { DIGEST_BYTES } from "./content-id.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { EntryId } from "./membership/entry.ts";
import { rosterIdOf } from "./membership/genesis.ts";
import { entryNames, entryNamesFrom } from "./membership/roster-exchange.ts";
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

export type HandshakeCode =
  | "WELCOME"
  | "VERSION"
  | "NETWORK"
  | "NOT_A_MEMBER"
  | "BUSY"
  | "MALFORMED"
  | "EXPIRED"
  | "REMOVED"
  /** Not known here, but what it shows may make it a member: greet again with the entries that it rests on. */
  | "ROSTER";

/** Number of each code on the wire. */
export const HANDSHAKE_CODES: Readonly<Record<HandshakeCode, number>> = {
  WELCOME: 1,
  VERSION: 2,
  NETWORK: 3,
  NOT_A_MEMBER: 4,
  BUSY: 5,
  MALFORMED: 6,
  EXPIRED: 8,
  REMOVED: 9,
  ROSTER: 10,
};

/** What a peer shows of its membership, where there is a roster. */
export interface ShownMembership {
  /** Entries that no other one follows, as far as it has heard; at most LIMITS.rosterParentCountMax. */
  readonly heads: readonly EntryId[];
  /** Bytes of the entry that made it a member; none for a founder. */
  readonly certificate: Uint8Array;
  /** Bytes of entries that the certificate rests on, parents first; only when asked for. */
  readonly entries: readonly Uint8Array[];
}

/** What a roster says to somebody who shows such a thing. */
export type ShownJudgement = "WELCOME" | "NOT_A_MEMBER" | "EXPIRED" | "REMOVED" | "ROSTER";

const NOTHING_SHOWN: ShownMembership = { heads: [], certificate: new Uint8Array(), entries: [] };

export interface Hello {
  readonly protocolVersion: number;
  readonly networkId: NetworkId;
  readonly manifest: NetworkManifest;
  /** Empty in an open network. */
  readonly shown: ShownMembership;
}

export interface Reply {
  readonly code: HandshakeCode;
  readonly protocolVersion: number;
  readonly networkId: NetworkId;
  /** The answering side's manifest when the code is NETWORK. */
  readonly manifest: NetworkManifest | undefined;
  /** The answering side's heads with the codes WELCOME and ROSTER in a network with a roster; otherwise none. */
  readonly heads: readonly EntryId[];
}

/** What the answering side is: its network, and whom it lets in. */
export interface HandshakeContext {
  readonly manifest: NetworkManifest;
  readonly isMember: (peer: PeerId) => boolean;
  /** In a network with a roster, instead of `isMember`. */
  readonly roster?: {
    readonly judge: (peer: PeerId, shown: ShownMembership) => ShownJudgement;
    /** At most LIMITS.rosterParentCountMax. */
    readonly heads: () => readonly EntryId[];
  };
  /** Whether this side has no room for another neighbour. */
  readonly busy: boolean;
}

/** The first message of a connection.  Throws: TOO_LARGE when more is shown than fits. */
export function encodeHello(manifest: NetworkManifest, shown: ShownMembership = NOTHING_SHOWN): Uint8Array {
  return encodeCanonical(HandshakeHelloSchema, {
    heads: entryNames(shown.heads),
    certificate: shown.certificate,
    entries: [...shown.entries],
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
  const { certificate, entries } = hello;
  const heads = entryNamesFrom(hello.heads, LIMITS.rosterParentCountMax);
  const shows = heads.length + certificate.length + entries.length > 0;
  if (shows && manifest.membership?.kind !== "roster") {
    throw new ProtocolError("MALFORMED", "hello: it shows a membership of an open network");
  }
  const shownBytes = entries.reduce((sum, entry) => sum + entry.length, 0);
  if (certificate.length > LIMITS.rosterEntryBytesMax || shownBytes > LIMITS.rosterMessageBytesMax) {
    throw new ProtocolError("TOO_LARGE", "hello: it shows more than is read", { bytes: shownBytes });
  }
  return { protocolVersion, networkId: networkId(manifest), manifest, shown: { heads, certificate, entries } };
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
    heads: entryNames(tellsHeads(code) ? (context.roster?.heads() ?? []) : []),
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
  const heads = entryNamesFrom(reply.heads, LIMITS.rosterParentCountMax);
  if (heads.length > 0 && !tellsHeads(code)) {
    throw new ProtocolError("MALFORMED", "handshake reply: its fields do not belong together", { code });
  }
  const manifest = code === "NETWORK" ? manifestFromBytes(reply.manifest) : undefined;
  if (manifest !== undefined && networkId(manifest) !== id) {
    throw new ProtocolError("MALFORMED", "handshake reply: the network id is not the hash of the manifest");
  }
  return { code, protocolVersion: reply.protocolVersion, networkId: id, manifest, heads };
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
    case "EXPIRED":
      return "this peer's membership is over; ask an admin to renew it";
    case "REMOVED":
      return "this peer was removed from the network";
    case "ROSTER":
      return "the peer has not heard who made this one a member";
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

const tellsHeads = (code: HandshakeCode): boolean => code === "WELCOME" || code === "ROSTER";

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
  const { roster } = context;
  if (difference !== undefined) {
    // Two networks of one roster: what makes the other side a member is heard all the same.
    const isOfRoster = roster !== undefined && rosterIdOf(hello.manifest) === rosterIdOf(context.manifest);
    const isUnheard = isOfRoster && roster.judge(peer, hello.shown) === "ROSTER";
    return isUnheard ? refused("ROSTER") : { code: "NETWORK", difference };
  }
  const judged = roster?.judge(peer, hello.shown) ?? (context.isMember(peer) ? "WELCOME" : "NOT_A_MEMBER");
  if (judged !== "WELCOME") return refused(judged);
  return refused(context.busy ? "BUSY" : "WELCOME");
}
