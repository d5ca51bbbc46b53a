/** Changes of updates, announcements, sketches, requests and texts, and the conditions on accepted ones. */
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { decodeAddresses, encodeAddresses, peerIdOfAddress } from "../addresses.ts";
import { encodeAnnouncementBody, readAnnouncement } from "../announcement.ts";
import { decodeBlobHeader, decodeBlobRequest, encodeBlobHeader, encodeBlobRequest } from "../blob.ts";
import { encodeCanonical, equalBytes } from "../canonical-message.ts";
import { decodeCheckupReply, decodeCheckupRequest, encodeCheckupReply, encodeCheckupRequest } from "../checkup.ts";
import { contentIdFromBytes, contentIdToBytes, parseContentId } from "../content-id.ts";
import { decodeUpdate } from "../encoding/update-payload.ts";
import { MESSAGE_KINDS, type MessageKind, SIGNATURE_BYTES } from "../envelope.ts";
import { ProtocolError } from "../errors.ts";
import { FEATURES, featureNames } from "../features.ts";
import { decodeFrame, encodeFrame } from "../frame.ts";
import { answerHello, decodeReply } from "../handshake.ts";
import { decodeHeads, encodeHeads } from "../heads.ts";
import { LIMITS } from "../limits.ts";
import type { VerifySignature } from "../membership/signatures.ts";
import { parseNetworkId } from "../network-id.ts";
import { canonicalManifestBytes, manifestFromBytes, parseManifest } from "../network-manifest.ts";
import { parsePeerId, peerIdFromPublicKey, publicKeyOfPeerId } from "../peer-id.ts";
import { decodeSketchRequest, encodeSketchBody, encodeSketchRequest, readSketch } from "../sketch.ts";
import { encodeUpdateBody, readUpdate } from "../update.ts";
import { type Judgement, judgeAnnouncement, judgeSketch, judgeUpdate, type VerdictCode } from "../verdict.ts";
import { EnvelopeSchema } from "../wire_pb.ts";
import { addressesVectors } from "./addresses-vectors.ts";
import { decodedVectors, handshakeVectors, manifestVectors } from "./decoded-vectors.ts";
import { ALICE, BOB, EXAMPLE_CONTEXT, EXAMPLE_MANIFEST, SOME_CONTENT_ID } from "./example-network.ts";
import { featuresVectors } from "./features-vectors.ts";
import { announcementVectors, updateVectors } from "./judged-vectors.ts";
import { type FuzzJudgement, type FuzzTarget, fuzzTarget, type Original } from "./mutation.ts";
import { payloadVectors } from "./payload-vectors.ts";
import { sketchVectors } from "./sketch-vectors.ts";

type Read = (bytes: Uint8Array, verify: VerifySignature) => FuzzJudgement;
interface WireOriginal extends Original {
  readonly read: Read;
}

/** Verdicts about the form and the signature: none but these may fall on an envelope that is changed. */
const BEFORE_ANYTHING_ELSE: readonly VerdictCode[] = [
  ...(["TOO_LARGE", "MALFORMED", "NOT_CANONICAL", "WRONG_KIND", "FIELD_INVALID", "SIGNATURE_INVALID"] as const),
];

/** All messages of peers but those about their membership. */
export function wireTarget(): FuzzTarget {
  const originals = [...envelopes(), ...bodies(), ...payloads(), ...requests(), ...texts(), ...handshakes()];
  return fuzzTarget("wire", originals, ({ read }, bytes, verify) => {
    try {
      return read(bytes, verify);
    } catch (error) {
      if (error instanceof ProtocolError) return { outcome: error.code, isForged: false };
      throw error;
    }
  });
}

const JUDGES: Readonly<Record<MessageKind, (bytes: Uint8Array, verify: VerifySignature) => Judgement<unknown>>> = {
  announcement: (bytes, verify) => judgeAnnouncement(bytes, { ...EXAMPLE_CONTEXT, verify }),
  update: (bytes, verify) => judgeUpdate(bytes, { ...EXAMPLE_CONTEXT, verify }),
  sketch: (bytes, verify) => judgeSketch(bytes, { ...EXAMPLE_CONTEXT, verify, author: ALICE.peer }),
};
const READERS: Readonly<Record<MessageKind, (bytes: Uint8Array) => unknown>> = {
  announcement: readAnnouncement,
  update: readUpdate,
  sketch: readSketch,
};

function acceptedOf(kind: MessageKind): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
  const vectors = { announcement: announcementVectors, update: updateVectors, sketch: sketchVectors }[kind]();
  return vectors
    .filter(({ expected }) => expected === "ACCEPTED")
    .map(({ name, bytes }) => ({ name, bytes: hexToBytes(bytes) }));
}

const KINDS = Object.keys(MESSAGE_KINDS) as readonly MessageKind[];

/** Signed messages: a change is refused for its form or its signature, before anything else is looked at. */
function envelopes(): readonly WireOriginal[] {
  return KINDS.flatMap((kind) => {
    const vectors = acceptedOf(kind);
    const valid = new Set(vectors.map(({ bytes }) => bytesToHex(bytes)));
    const read: Read = (bytes, verify) => {
      const code = codeOf(JUDGES[kind](bytes, verify));
      if (code === "SIGNATURE_INVALID") READERS[kind](bytes);
      const isForged = !BEFORE_ANYTHING_ELSE.includes(code) && !valid.has(bytesToHex(bytes));
      return { outcome: code, isForged };
    };
    return vectors.map(({ name, bytes }) => ({ message: kind, name, bytes, read }));
  });
}

/** The bodies of such messages, changed by their own author: everything that it signs has a verdict. */
function bodies(): readonly WireOriginal[] {
  const example = { announcement: encodeAnnouncementBody, update: encodeUpdateBody, sketch: encodeSketchBody } as const;
  return KINDS.flatMap((kind) => {
    const read: Read = (body) => {
      const author = ALICE.publicKey;
      const { number } = MESSAGE_KINDS[kind];
      const signature = new Uint8Array(SIGNATURE_BYTES);
      const bytes = encodeCanonical(EnvelopeSchema, { kind: number, author, body, signature });
      return { outcome: codeOf(JUDGES[kind](bytes, () => true)), isForged: false };
    };
    return acceptedOf(kind).map(({ name, bytes }) => {
      const body = example[kind](READERS[kind](bytes) as never);
      return { message: `${kind} body`, name, bytes: body, read };
    });
  });
}

/** Adapters in their encodings: an accepted one has as many values as the network's adapter, all of them numbers. */
function payloads(): readonly WireOriginal[] {
  return payloadVectors().flatMap(({ name, tensors, manifestEncoding, sequence, previous, encoding, ...vector }) => {
    if ("code" in vector.expected) return [];
    const count = vector.expected.values.length;
    const rules = { tensors, encoding: manifestEncoding, previous: previous && Float32Array.from(previous) };
    const read: Read = (payload) => {
      const values = decodeUpdate({ encoding, sequence, payload }, rules);
      return { outcome: "accepted", isForged: values.length !== count || !values.every(Number.isFinite) };
    };
    return [{ message: "payload", name, bytes: hexToBytes(vector.payload), read }];
  });
}

/** Messages that nobody signs: an accepted one is the only form of its content. */
function requests(): readonly WireOriginal[] {
  const row = (message: string, name: string, bytes: Uint8Array, read: Read) => ({ message, name, bytes, read });
  const own = [1, 2].map((port) => `/ip4/192.0.2.7/tcp/${port}/p2p/${ALICE.peer}`);
  const checkup = canonical(
    (bytes) => decodeCheckupRequest(bytes, ALICE.peer),
    (addresses) => encodeCheckupRequest(addresses, ALICE.peer),
  );
  const reached = [true, false];
  const checkupReply = canonical((bytes) => decodeCheckupReply(bytes, reached.length), encodeCheckupReply);
  const readers: Readonly<Record<string, Read>> = {
    heads: canonical(decodeHeads, encodeHeads),
    "blob-request": canonical(decodeBlobRequest, encodeBlobRequest),
    "blob-header": canonical(decodeBlobHeader, encodeBlobHeader),
    frame: readFrame,
  };
  return [
    ...decodedVectors().flatMap(({ message, name, bytes, expected }) => {
      const read = readers[message];
      return "code" in expected || read === undefined ? [] : [row(message, name, hexToBytes(bytes), read)];
    }),
    ...addressesVectors().flatMap(({ name, bytes, expected }) =>
      "code" in expected ? [] : [row("addresses", name, hexToBytes(bytes), readAddresses)],
    ),
    row(
      "sketch-request",
      "Alice's",
      encodeSketchRequest(ALICE.peer),
      canonical(decodeSketchRequest, encodeSketchRequest),
    ),
    row("checkup-request", "two addresses", encodeCheckupRequest(own, ALICE.peer), checkup),
    row("checkup-reply", "two answers", encodeCheckupReply({ timeMs: 1.8e12, reached }), checkupReply),
  ];
}

/** Greetings of an open network: a welcome peer shows the manifest of this network. */
function handshakes(): readonly WireOriginal[] {
  const context = { manifest: EXAMPLE_MANIFEST, isMember: () => true, busy: false, features: FEATURES };
  const manifest = bytesToHex(canonicalManifestBytes(EXAMPLE_MANIFEST));
  const hello: Read = (bytes) => {
    const { code, reply } = answerHello(bytes, BOB.peer, context);
    if (decodeReply(reply).code !== code) return { outcome: code, isForged: true };
    return { outcome: code, isForged: code === "WELCOME" && !bytesToHex(bytes).includes(manifest) };
  };
  // Names that are taken are names, each once; they come into logs.
  const reply: Read = (bytes) => {
    const { code, features, missing } = decodeReply(bytes);
    const isForged = [features, missing].some((names) => `${featureNames(names)}` !== `${names}`);
    return { outcome: code, isForged };
  };
  const told = featuresVectors().flatMap((one) => {
    if (one.message === "manifest") return [];
    const [message, read] = one.message === "hello" ? ["hello", hello] : ["reply", reply];
    return [{ message, name: `features: ${one.name}`, bytes: hexToBytes(one.bytes), read } as WireOriginal];
  });
  return [
    ...told,
    ...handshakeVectors().flatMap((one) => [
      { message: "hello", name: one.name, bytes: hexToBytes(one.hello), read: hello },
      { message: "reply", name: one.name, bytes: hexToBytes(one.reply), read: reply },
    ]),
  ];
}

/** Ids and manifests, as text or bytes: an accepted one is written as it was read. */
function texts(): readonly WireOriginal[] {
  const text = (message: string, one: string, parse: (text: string) => string): WireOriginal => ({
    ...{ message, name: message, bytes: utf8ToBytes(one) },
    read: canonical((bytes) => parse(new TextDecoder().decode(bytes)), utf8ToBytes),
  });
  const manifests = manifestVectors().filter(({ expected }) => "networkId" in expected);
  return [
    text("peer id", ALICE.peer, (one) => peerIdFromPublicKey(publicKeyOfPeerId(parsePeerId(one)))),
    text("content id", SOME_CONTENT_ID, (one) => contentIdFromBytes(contentIdToBytes(parseContentId(one)))),
    text("network id", "ab".repeat(32), parseNetworkId),
    ...manifests.flatMap(({ name, text }) => {
      const bytes = utf8ToBytes(text);
      return [
        { message: "manifest", name, bytes, read: canonical(manifestFromBytes, canonicalManifestBytes) },
        { message: "manifest file", name, bytes, read: readManifestFile },
      ];
    }),
  ];
}

/** The text of a file need not be canonical; it is read as one manifest and no other. */
function readManifestFile(bytes: Uint8Array): FuzzJudgement {
  const written = canonicalManifestBytes(parseManifest(new TextDecoder().decode(bytes)));
  return { outcome: "accepted", isForged: !equalBytes(canonicalManifestBytes(manifestFromBytes(written)), written) };
}

function readFrame(bytes: Uint8Array): FuzzJudgement {
  const frame = decodeFrame(bytes, LIMITS.blobHeaderBytesMax);
  if (frame === undefined) return { outcome: "incomplete", isForged: false };
  const again = [...encodeFrame(frame.message), ...frame.rest];
  return { outcome: "accepted", isForged: !equalBytes(Uint8Array.from(again), bytes) };
}

/** An entry that is no address is passed over; a taken address can be told to others. */
function readAddresses(bytes: Uint8Array): FuzzJudgement {
  const taken = decodeAddresses(bytes);
  const again = decodeAddresses(encodeAddresses(taken));
  const isForged = again.length !== taken.length || taken.some((address) => peerIdOfAddress(address) === undefined);
  return { outcome: "accepted", isForged };
}

function canonical<T>(decode: (bytes: Uint8Array) => T, encode: (value: T) => Uint8Array): Read {
  return (bytes) => ({ outcome: "accepted", isForged: !equalBytes(encode(decode(bytes)), bytes) });
}

/** A judgement's code. Throws: the error with which the judge itself failed. */
function codeOf(judgement: Judgement<unknown>): VerdictCode {
  if (judgement.code === "INTERNAL") throw judgement.kind === "accept" ? undefined : judgement.cause;
  return judgement.code;
}
