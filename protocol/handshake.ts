/**
 * The handshake: the side that dialled says which network it is in, the other side welcomes it or says why not. The
 * connection has authenticated both peers already, so nothing here is signed.
 */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { DIGEST_BYTES } from "./content-id.ts";
import { ProtocolError } from "./errors.ts";
import { type Feature, featureNames, featureWords, missingFeatures, readFeatures } from "./features.ts";
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
import { PROTOCOL_VERSION } from "./stream-protocols.ts";
import { HandshakeHelloSchema, HandshakeReplySchema } from "./wire_pb.ts";

/** The answer to a greeting: WELCOME, or the reason why the connection is not admitted. */
export type HandshakeCode =
  | "WELCOME"
  | "VERSION"
  | "NETWORK"
  | "NOT_A_MEMBER"
  | "BUSY"
  | "MALFORMED"
  | "EXPIRED"
  | "REMOVED"
  /** Not known here, but its certificate may make it a member: greet again with the entries that the certificate rests on. */
  | "ROSTER"
  /** It lacks features that the network needs. */
  | "FEATURES";

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
  FEATURES: 12,
};

/** A peer's proof of its membership, where there is a roster. */
export interface ShownMembership {
  /** Entries that no other one follows, as far as it has heard; at most LIMITS.rosterParentCountMax. */
  readonly heads: readonly EntryId[];
  /** Bytes of the entry that made it a member; none for a founder. */
  readonly certificate: Uint8Array;
  /** Bytes of entries that the certificate rests on, parents first; only when asked for. */
  readonly entries: readonly Uint8Array[];
}

/** The answer of a roster to such a proof. */
export type ShownJudgement = Extract<HandshakeCode, "WELCOME" | "NOT_A_MEMBER" | "EXPIRED" | "REMOVED" | "ROSTER">;

const NOTHING_SHOWN: ShownMembership = { heads: [], certificate: new Uint8Array(), entries: [] };

/** A greeting that was decoded. */
export interface Hello {
  readonly protocolVersion: number;
  readonly networkId: NetworkId;
  readonly manifest: NetworkManifest;
  /** Empty in an open network. */
  readonly shown: ShownMembership;
  /** The sender's features; names may be unknown. */
  readonly features: readonly string[];
}

/** The answer to a greeting. */
export interface Reply {
  readonly code: HandshakeCode;
  readonly protocolVersion: number;
  readonly networkId: NetworkId;
  /** The answering side's manifest when the code is NETWORK. */
  readonly manifest: NetworkManifest | undefined;
  /** The answering side's heads with the codes WELCOME and ROSTER in a network with a roster; otherwise none. */
  readonly heads: readonly EntryId[];
  /** The answering side's features, with the codes WELCOME and FEATURES; names may be unknown. Otherwise none. */
  readonly features: readonly string[];
  /** The features that the dialling side lacks, with the code FEATURES; names may be unknown. */
  readonly missing: readonly string[];
}

/** The answering side: its network, and its rule for letting peers in. */
export interface HandshakeContext {
  readonly manifest: NetworkManifest;
  readonly isMember: (peer: PeerId) => boolean;
  /** In a network with a roster, instead of `isMember`. */
  readonly roster?: {
    readonly judge: (peer: PeerId, shown: ShownMembership) => ShownJudgement;
    /** At most LIMITS.rosterParentCountMax. */
    readonly heads: () => readonly EntryId[];
  };
  /** This side's features, told in the reply; when absent, the baseline, and the reply tells nothing. */
  readonly features?: readonly string[];
  /** Whether this side has no room for another neighbour. */
  readonly busy: boolean;
}

/**
 * The first message of a connection. Without `features` the sender has the baseline.
 * Throws: TOO_LARGE when more is shown than fits, or features are too many; FIELD_INVALID (a name of a feature).
 */
export function encodeHello(
  manifest: NetworkManifest,
  shown: ShownMembership = NOTHING_SHOWN,
  features: readonly string[] = [],
): Uint8Array {
  return encodeCanonical(HandshakeHelloSchema, {
    features: featureNames(features),
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
 * Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, MANIFEST_INVALID, FIELD_INVALID (a name of a feature).
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
  const features = readFeatures(hello.features);
  return {
    protocolVersion,
    networkId: networkId(manifest),
    manifest,
    shown: { heads, certificate, entries },
    features,
  };
}

/** The outcome of a hello. */
export interface HelloJudgement {
  readonly code: HandshakeCode;
  /** With the code NETWORK. */
  readonly difference: ManifestDifference | undefined;
  /** With the code WELCOME: the dialling side's features. */
  readonly features: readonly string[];
  /** With the code FEATURES: the features that it lacks. */
  readonly missing: readonly Feature[];
}

/** The answer to a hello from `peer`, for any bytes.  Throws: nothing. */
export function answerHello(
  bytes: Uint8Array,
  peer: PeerId,
  context: HandshakeContext,
): HelloJudgement & { readonly reply: Uint8Array } {
  const judged = judgeHello(bytes, peer, context);
  const { code, missing } = judged;
  const reply = encodeCanonical(HandshakeReplySchema, {
    code: HANDSHAKE_CODES[code],
    protocolVersion: PROTOCOL_VERSION,
    networkId: networkIdToBytes(networkId(context.manifest)),
    manifest: code === "NETWORK" ? canonicalManifestBytes(context.manifest) : new Uint8Array(),
    heads: entryNames(tellsHeads(code) ? (context.roster?.heads() ?? []) : []),
    features: tellsFeatures(code) ? featureNames(context.features ?? []) : [],
    missing: [...missing],
  });
  return { ...judged, reply };
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
  const isOfFeatures = reply.missing.length > 0;
  if ((reply.features.length > 0 && !tellsFeatures(code)) || isOfFeatures !== (code === "FEATURES")) {
    throw new ProtocolError("MALFORMED", "handshake reply: its fields do not belong together", { code });
  }
  const features = tellsFeatures(code) ? readFeatures(reply.features) : [];
  const missing = isOfFeatures ? readFeatures(reply.missing) : [];
  const manifest = code === "NETWORK" ? manifestFromBytes(reply.manifest) : undefined;
  if (manifest !== undefined && networkId(manifest) !== id) {
    throw new ProtocolError("MALFORMED", "handshake reply: the network id is not the hash of the manifest");
  }
  return { code, protocolVersion: reply.protocolVersion, networkId: id, manifest, heads, features, missing };
}

/** One line for the person on the side that dialled: why the two do not go together; undefined when they do. */
export function explainReply(reply: Reply, own: NetworkManifest): string | undefined {
  switch (reply.code) {
    case "WELCOME":
      if (reply.protocolVersion !== PROTOCOL_VERSION || reply.networkId !== networkId(own)) {
        return "the peer's welcome is for another network or protocol version";
      }
      return explainMissing(missingFeatures(own, reply.features));
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
      return "the peer has not heard of this one's admission";
    case "FEATURES":
      return `this peer's version of weft lacks what the network needs, says the other: ${featureWords(reply.missing)}`;
    case "BUSY":
      return "the peer has no room for another neighbour";
    case "MALFORMED":
      return "the peer could not read this one's hello";
  }
}

/** One line: the features that the network needs and the other side lacks; undefined when there is none. */
export function explainMissing(missing: readonly string[]): string | undefined {
  if (missing.length === 0) return undefined;
  return `the other's version of weft lacks what the network needs: ${featureWords(missing)}`;
}

/** One line: the field in which two networks differ (a: this peer's, b: the other's). */
export function explainDifference(difference: ManifestDifference | undefined): string {
  if (difference === undefined) return "the peer is in another network";
  const { path, a, b } = difference;
  return `the peer is in another network: ${path} is ${shortened(b)} there and ${shortened(a)} here`;
}

const tellsHeads = (code: HandshakeCode): boolean => code === "WELCOME" || code === "ROSTER";

const tellsFeatures = (code: HandshakeCode): boolean => code === "WELCOME" || code === "FEATURES";

const codeOf = (number: number): HandshakeCode | undefined =>
  (Object.keys(HANDSHAKE_CODES) as HandshakeCode[]).find((code) => HANDSHAKE_CODES[code] === number);

/** Characters of a value that help to tell it from another. */
const SHOWN_MAX = 80;
const shortened = (text: string): string => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);

function judgeHello(bytes: Uint8Array, peer: PeerId, context: HandshakeContext): HelloJudgement {
  const refused = (code: HandshakeCode) => ({ code, difference: undefined, features: [], missing: [] });
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
    // Two networks of one roster: the other side's proof of membership is heard all the same.
    const isOfRoster = roster !== undefined && rosterIdOf(hello.manifest) === rosterIdOf(context.manifest);
    const isUnheard = isOfRoster && roster.judge(peer, hello.shown) === "ROSTER";
    return isUnheard ? refused("ROSTER") : { ...refused("NETWORK"), difference };
  }
  const judged = roster?.judge(peer, hello.shown) ?? (context.isMember(peer) ? "WELCOME" : "NOT_A_MEMBER");
  if (judged !== "WELCOME") return refused(judged);
  const missing = missingFeatures(context.manifest, hello.features);
  if (missing.length > 0) return { ...refused("FEATURES"), missing };
  return context.busy ? refused("BUSY") : { ...refused("WELCOME"), features: hello.features };
}
