/**
 * The stream protocols: every conversation that one peer can open with another, in one list. The transport, the features of
 * a handshake and the egress ledger know nothing of a protocol but this list. A protocol that is not in it cannot be
 * spoken.
 */
import { LIMITS } from "./limits.ts";

/** Version that two peers must share; raised with every incompatible change of the wire. */
export const PROTOCOL_VERSION = 1;

interface ProtocolFields<Name extends string, FeatureName extends string, Kind extends string> {
  /** On the wire. */
  readonly name: Name;
  /**
   * The part of a peer's program that it belongs to, by the name that a handshake tells and in words for a person: a
   * neighbour that does not tell the name is not asked. See features.ts.
   */
  readonly feature: { readonly name: FeatureName; readonly words: string };
  /** The longest message without its frame: of the side that opened the stream, and of the side that answers. */
  readonly bytesMax: { readonly opened: number; readonly answered: number };
  /** Kinds of each side's messages in the record of everything that leaves a peer. */
  readonly egress: { readonly opened: Kind; readonly answered: Kind };
  /** Its purpose. */
  readonly purpose: string;
}

const CORE = { name: "core", words: "handshake, announcements, heads and bytes" } as const;
const ROSTER = { name: "roster", words: "membership by a roster" } as const;

const LIST = {
  blob: {
    name: "/weft/blob/1",
    feature: CORE,
    // The bytes of an update stand behind the header of an answer, unframed.
    bytesMax: { opened: LIMITS.blobHeaderBytesMax, answered: LIMITS.blobHeaderBytesMax },
    egress: { opened: "request", answered: "update" },
    purpose: "A neighbour asks for the bytes of a content id.",
  },
  sketch: {
    name: "/weft/sketch/1",
    feature: { name: "sketch", words: "sketches of data sets" },
    bytesMax: { opened: LIMITS.blobHeaderBytesMax, answered: LIMITS.sketchBytesMax },
    egress: { opened: "request", answered: "sketch" },
    purpose: "A neighbour asks what an author's data set is like, where the network weighs by it.",
  },
  heads: {
    name: "/weft/heads/1",
    feature: CORE,
    bytesMax: { opened: LIMITS.headsBytesMax, answered: LIMITS.headsBytesMax },
    egress: { opened: "heads", answered: "heads" },
    purpose: "Two neighbours tell each other the newest announcement of every author.",
  },
  addresses: {
    name: "/weft/addresses/1",
    feature: { name: "addresses", words: "addresses of neighbours" },
    bytesMax: { opened: LIMITS.addressesBytesMax, answered: 0 },
    egress: { opened: "addresses", answered: "addresses" },
    purpose: "A peer tells a neighbour where it and its other neighbours can be dialled.",
  },
  handshake: {
    name: "/weft/handshake/1",
    feature: CORE,
    bytesMax: { opened: LIMITS.handshakeBytesMax, answered: LIMITS.handshakeBytesMax },
    egress: { opened: "handshake", answered: "handshake" },
    purpose: "The first message of a connection; its name carries no network, so that a mismatch can be explained.",
  },
  checkup: {
    name: "/weft/checkup/1",
    feature: { name: "checkup", words: "checkups" },
    bytesMax: { opened: LIMITS.checkupBytesMax, answered: LIMITS.checkupBytesMax },
    egress: { opened: "checkup", answered: "checkup" },
    purpose: "A peer asks a neighbour for its clock, and whether the neighbour can dial it.",
  },
  roster: {
    name: "/weft/roster/1",
    feature: ROSTER,
    bytesMax: { opened: LIMITS.rosterMessageBytesMax, answered: LIMITS.rosterMessageBytesMax },
    egress: { opened: "roster", answered: "roster" },
    purpose: "A member asks for the roster entries that it lacks, and for what waits for signatures.",
  },
  admission: {
    name: "/weft/admission/1",
    feature: ROSTER,
    bytesMax: { opened: LIMITS.admissionRequestBytesMax, answered: LIMITS.admissionReplyBytesMax },
    egress: { opened: "admission", answered: "admission" },
    purpose: "A stranger asks to be admitted by an invite.",
  },
  genesis: {
    name: "/weft/genesis/1",
    feature: ROSTER,
    bytesMax: { opened: LIMITS.admissionRequestBytesMax, answered: LIMITS.genesisBytesMax },
    egress: { opened: "admission", answered: "admission" },
    purpose: "A stranger with an invite asks for the genesis, or a member for a manifest of its network.",
  },
  successors: {
    name: "/weft/successors/1",
    feature: ROSTER,
    bytesMax: { opened: LIMITS.admissionRequestBytesMax, answered: LIMITS.manifestBytesMax },
    egress: { opened: "admission", answered: "admission" },
    purpose: "A stranger with an invite asks for the manifests that the network has gone through.",
  },
} as const satisfies Readonly<Record<string, ProtocolFields<`/weft/${string}/${number}`, string, string>>>;

type Listed = (typeof LIST)[keyof typeof LIST];

/** The kind of a stream's message in the record of everything that leaves a peer. */
export type StreamKind = Listed["egress"]["opened" | "answered"];

/** A protocol of the list, and nothing else. */
export interface StreamProtocol extends ProtocolFields<Listed["name"], Listed["feature"]["name"], StreamKind> {}

/** All of them, by a short name. The record of what leaves a peer shows its kinds in this order. */
export const STREAM_PROTOCOLS: Readonly<Record<keyof typeof LIST, StreamProtocol>> = LIST;

/** All of them, in the order of the list. */
export const streamProtocols = (): readonly StreamProtocol[] => Object.values(STREAM_PROTOCOLS);
