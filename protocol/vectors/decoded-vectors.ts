/** Golden vectors of everything that is decoded and not judged: peer ids, manifests, handshakes, heads, blobs, frames. */
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { signAnnouncement } from "../announcement.ts";
import { encodeBlobHeader, encodeBlobRequest } from "../blob.ts";
import { encodeCanonical } from "../canonical-message.ts";
import { createSigner } from "../envelope.ts";
import type { ProtocolErrorCode } from "../errors.ts";
import { encodeFrame } from "../frame.ts";
import { announcementTopic } from "../gossip-topics.ts";
import { answerHello, encodeHello, HANDSHAKE_CODES, type HandshakeCode } from "../handshake.ts";
import { encodeHeads } from "../heads.ts";
import { networkIdToBytes } from "../network-id.ts";
import {
  canonicalManifestBytes,
  type NeighbourWeighting,
  type NetworkManifest,
  networkId,
} from "../network-manifest.ts";
import { PROTOCOL_VERSION } from "../stream-protocols.ts";
import { readUpdate, signUpdate } from "../update.ts";
import { BlobReplySchema, BlobRequestSchema, HandshakeHelloSchema, HandshakeReplySchema } from "../wire_pb.ts";
import {
  ALICE,
  BOB,
  EXAMPLE_MANIFEST,
  EXAMPLE_UPDATE,
  exampleSecretKey,
  SOME_CONTENT_ID,
  STRANGER,
} from "./example-network.ts";

/** Secret key and public key are hexadecimal. */
export interface PeerVector {
  readonly secretKey: string;
  readonly publicKey: string;
  readonly peerId: string;
}

/** A manifest as text, and its id or the code of its refusal. */
export interface ManifestVector {
  readonly name: string;
  /** Canonical text of a valid manifest, or the text of an invalid one. */
  readonly text: string;
  readonly expected: { readonly networkId: string; readonly topic: string } | { readonly field: string };
}

/** A Hello in hex, and the answer that it gets. */
export interface HandshakeVector {
  readonly name: string;
  /** The hello, hexadecimal. */
  readonly hello: string;
  readonly from: string;
  readonly busy: boolean;
  readonly expected: HandshakeCode;
  /** Path of the first differing field when expected is NETWORK. */
  readonly field?: string;
  /** The reply, hexadecimal. */
  readonly reply: string;
}

/** A message in hex, and its decoded value or the code of its refusal. */
export interface DecodedVector {
  readonly message: "reply" | "heads" | "blob-request" | "blob-header" | "frame";
  readonly name: string;
  readonly bytes: string;
  /** Its decoded form, or the code with which it is refused. */
  readonly expected: { readonly value: unknown } | { readonly code: ProtocolErrorCode };
}

/** Peer ids of public keys. */
export function peerVectors(): readonly PeerVector[] {
  return [1, 2, 3, 4].map((byte) => {
    const { peer, publicKey } = createSigner(exampleSecretKey(byte));
    return { secretKey: bytesToHex(exampleSecretKey(byte)), publicKey: bytesToHex(publicKey), peerId: peer };
  });
}

const OTHER_MANIFEST: NetworkManifest = {
  ...EXAMPLE_MANIFEST,
  adapter: { kind: "lora", rank: 4, alpha: 8.5, targets: ["q_proj", "v_proj"], layers: "all" },
  tensors: [{ name: "model.layers.0.self_attn.q_proj.A", shape: [4, 16] }],
  aggregation: { ...EXAMPLE_MANIFEST.aggregation, lambda: { mode: "tanh", max: 0.5, kappa: 1e-7 } },
  reference: { kind: "ema", decay: 0.9, l1: 0, l2: 1e-2 },
  bootstrap: [],
};

/** A network of Tri-LoRA whose peers weigh by similarity; only true says that the peer itself is among them. */
const withSelf = (self: boolean): NetworkManifest => ({
  ...EXAMPLE_MANIFEST,
  adapter: { kind: "tri-lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: [0], basis: "shared" },
  tensors: [{ name: "model.layers.0.self_attn.q_proj.C", shape: [2, 2] }],
  aggregation: {
    ...EXAMPLE_MANIFEST.aggregation,
    weights: { kind: "similarity", temperature: 0.1, self } as NeighbourWeighting,
  },
});

/** Manifests that are accepted or refused. */
export function manifestVectors(): readonly ManifestVector[] {
  const text = (manifest: unknown) => new TextDecoder().decode(canonicalManifestBytes(manifest as NetworkManifest));
  const valid = (name: string, manifest: NetworkManifest): ManifestVector => {
    const id = networkId(manifest);
    return { name, text: text(manifest), expected: { networkId: id, topic: announcementTopic(id).name } };
  };
  const invalid = (name: string, changes: object, field: string): ManifestVector => ({
    name,
    text: text({ ...EXAMPLE_MANIFEST, ...changes }),
    expected: { field },
  });
  const { training, rounds, adapter, aggregation } = EXAMPLE_MANIFEST;
  const DORA = { rank: 4, alpha: 8, targets: ["q_proj"], layers: "all" } as const;
  return [
    valid("the example network", EXAMPLE_MANIFEST),
    valid("LoRA, tanh, EMA", OTHER_MANIFEST),
    valid("no reference, fixed lambda", {
      ...EXAMPLE_MANIFEST,
      reference: { kind: "none" },
      aggregation: { ...aggregation, lambda: { mode: "fixed", value: 1 } },
    }),
    invalid("another schema", { schema: "weft-network/2" }, "schema"),
    invalid("unknown field", { color: "red" }, "color"),
    invalid("unknown field inside", { training: { ...training, batchsize: 8 } }, "training.batchsize"),
    invalid("missing field", { training: { ...training, batchSize: undefined } }, "training.batchSize"),
    invalid("text for a number", { seed: "7" }, "seed"),
    invalid("zero rounds", { rounds: { ...rounds, count: 0 } }, "rounds.count"),
    invalid("layers not rising", { adapter: { ...adapter, layers: [1, 1] } }, "adapter.layers"),
    invalid("too many values", { tensors: [{ name: "a", shape: [4097, 4096] }] }, "tensors"),
    invalid("a tensor twice", { tensors: [...EXAMPLE_MANIFEST.tensors, ...EXAMPLE_MANIFEST.tensors] }, "tensors"),
    invalid("deadline upside down", { rounds: { ...rounds, deadlineMs: { min: 2, max: 1 } } }, "rounds.deadlineMs"),
    valid("momentum of the aggregate", { ...EXAMPLE_MANIFEST, aggregation: { ...aggregation, momentum: 1 } }),
    invalid("no momentum", { aggregation: { ...aggregation, momentum: 0 } }, "aggregation.momentum"),
    invalid(
      "momentum of products",
      { ...OTHER_MANIFEST, aggregation: { ...aggregation, rule: "mean", factors: "product", momentum: 1 } },
      "aggregation.momentum",
    ),
    valid("logit adjustment", { ...EXAMPLE_MANIFEST, training: { ...training, logitAdjustment: 1 } }),
    invalid("no logit adjustment", { training: { ...training, logitAdjustment: 0 } }, "training.logitAdjustment"),
    valid("similarity with the peer itself", withSelf(true)),
    invalid("similarity with the peer itself said to be left out", withSelf(false), "aggregation.weights.self"),
    valid("conversations by a chat template", {
      ...EXAMPLE_MANIFEST,
      frame: { kind: "template", digest: "5".repeat(64) },
    }),
    valid("conversations in turns", { ...EXAMPLE_MANIFEST, frame: { kind: "turns" } }),
    invalid("a chat template without a digest", { frame: { kind: "template" } }, "frame.digest"),
    invalid("turns with a digest", { frame: { kind: "turns", digest: "5".repeat(64) } }, "frame.digest"),
    invalid("another frame", { frame: { kind: "alpaca" } }, "frame.kind"),
    valid("DoRA", { ...OTHER_MANIFEST, adapter: { ...DORA, kind: "dora" } }),
    valid("LoRA with biases", { ...OTHER_MANIFEST, adapter: { ...DORA, kind: "lora", bias: "trained" } }),
    invalid("DoRA with a bias", { adapter: { ...DORA, kind: "dora", bias: "trained" } }, "adapter.bias"),
    valid("a base in q4", { ...EXAMPLE_MANIFEST, base: { form: "q4", digest: "6".repeat(64) } }),
    valid("the base as it is", { ...EXAMPLE_MANIFEST, base: { form: "f32" } }),
    invalid("a base in q8 without a digest", { base: { form: "q8" } }, "base.digest"),
    invalid("a base in f32 with a digest", { base: { form: "f32", digest: "6".repeat(64) } }, "base.digest"),
    invalid("another base", { base: { form: "nf4", digest: "6".repeat(64) } }, "base.form"),
  ];
}

/** Hellos and their answers. */
export function handshakeVectors(): readonly HandshakeVector[] {
  const context = { manifest: EXAMPLE_MANIFEST, isMember: (peer: string) => peer !== STRANGER.peer, busy: false };
  const vector = (
    name: string,
    hello: Uint8Array,
    expected: HandshakeCode,
    { from = BOB, busy = false, field }: { from?: typeof BOB; busy?: boolean; field?: string } = {},
  ): HandshakeVector => ({
    name,
    hello: bytesToHex(hello),
    from: from.peer,
    busy,
    expected,
    ...(field === undefined ? {} : { field }),
    reply: bytesToHex(answerHello(hello, from.peer, { ...context, busy }).reply),
  });
  const hello = (changes: object = {}) =>
    encodeCanonical(HandshakeHelloSchema, {
      networkId: networkIdToBytes(networkId(EXAMPLE_MANIFEST)),
      protocolVersion: PROTOCOL_VERSION,
      manifest: canonicalManifestBytes(EXAMPLE_MANIFEST),
      ...changes,
    });
  const spaced = utf8ToBytes(JSON.stringify(EXAMPLE_MANIFEST, null, 1));
  return [
    vector("same network", encodeHello(EXAMPLE_MANIFEST), "WELCOME"),
    vector("no room", hello(), "BUSY", { busy: true }),
    vector("not a member", hello(), "NOT_A_MEMBER", { from: STRANGER }),
    vector("another network", encodeHello(OTHER_MANIFEST), "NETWORK", { field: "adapter.alpha" }),
    vector("another version", hello({ protocolVersion: 2 }), "VERSION"),
    vector(
      "another version, with a manifest of another form",
      hello({ protocolVersion: 2, manifest: spaced }),
      "VERSION",
    ),
    vector("empty", new Uint8Array(), "VERSION"),
    vector("not protobuf", Uint8Array.of(0xff), "MALFORMED"),
    vector("unknown field", concatBytes(hello(), Uint8Array.of(0x78, 0)), "MALFORMED"),
    vector("manifest not canonical", hello({ manifest: spaced }), "MALFORMED"),
    vector("manifest not UTF-8", hello({ manifest: Uint8Array.of(0xff) }), "MALFORMED"),
    vector("id of another manifest", hello({ networkId: new Uint8Array(32) }), "MALFORMED"),
    vector("id of 31 bytes", hello({ networkId: new Uint8Array(31) }), "MALFORMED"),
  ];
}

/** Messages that are decoded and not judged. */
export function decodedVectors(): readonly DecodedVector[] {
  const valid = (
    message: DecodedVector["message"],
    name: string,
    bytes: Uint8Array,
    value: unknown,
  ): DecodedVector => ({
    message,
    name,
    bytes: bytesToHex(bytes),
    expected: { value },
  });
  const invalid = (
    message: DecodedVector["message"],
    name: string,
    bytes: Uint8Array,
    code: ProtocolErrorCode,
  ): DecodedVector => ({ message, name, bytes: bytesToHex(bytes), expected: { code } });
  const unknownField = (bytes: Uint8Array) => concatBytes(bytes, Uint8Array.of(0x78, 0));
  const announcement = signAnnouncement(readUpdate(signUpdate(EXAMPLE_UPDATE, ALICE).bytes), ALICE);
  const id = networkIdToBytes(networkId(EXAMPLE_MANIFEST));
  const reply = (fields: object) =>
    encodeCanonical(HandshakeReplySchema, { code: 1, protocolVersion: PROTOCOL_VERSION, networkId: id, ...fields });
  const header = (fields: object) => encodeCanonical(BlobReplySchema, fields);
  return [
    valid("reply", "welcome", reply({}), { code: "WELCOME", networkId: networkId(EXAMPLE_MANIFEST) }),
    invalid("reply", "code 0", reply({ code: 0 }), "FIELD_INVALID"),
    invalid("reply", "code 7", reply({ code: 7 }), "FIELD_INVALID"),
    invalid("reply", "network id of 31 bytes", reply({ networkId: id.subarray(1) }), "MALFORMED"),
    invalid("reply", "welcome with a manifest", reply({ manifest: Uint8Array.of(0x7b) }), "MALFORMED"),
    invalid("reply", "other network without a manifest", reply({ code: HANDSHAKE_CODES.NETWORK }), "MALFORMED"),
    invalid(
      "reply",
      "manifest of another id",
      reply({ code: HANDSHAKE_CODES.NETWORK, manifest: canonicalManifestBytes(OTHER_MANIFEST) }),
      "MALFORMED",
    ),
    valid("heads", "none", encodeHeads([]), []),
    valid("heads", "two", encodeHeads([announcement, announcement]), [
      bytesToHex(announcement),
      bytesToHex(announcement),
    ]),
    invalid("heads", "unknown field", unknownField(encodeHeads([announcement])), "NOT_CANONICAL"),
    invalid("heads", "truncated", encodeHeads([announcement]).subarray(0, 20), "MALFORMED"),
    valid("blob-request", "valid", encodeBlobRequest(SOME_CONTENT_ID), SOME_CONTENT_ID),
    invalid("blob-request", "empty", new Uint8Array(), "MALFORMED"),
    invalid(
      "blob-request",
      "31 bytes",
      encodeCanonical(BlobRequestSchema, { contentId: new Uint8Array(31) }),
      "MALFORMED",
    ),
    invalid("blob-request", "unknown field", unknownField(encodeBlobRequest(SOME_CONTENT_ID)), "NOT_CANONICAL"),
    valid("blob-header", "found", encodeBlobHeader({ status: "found", length: 1234 }), {
      status: "found",
      length: 1234,
    }),
    valid("blob-header", "not found", encodeBlobHeader({ status: "not-found" }), { status: "not-found" }),
    valid("blob-header", "busy", encodeBlobHeader({ status: "busy" }), { status: "busy" }),
    invalid("blob-header", "status 0", header({ length: 1 }), "FIELD_INVALID"),
    invalid("blob-header", "status 4", header({ status: 4 }), "FIELD_INVALID"),
    invalid("blob-header", "found, nothing", header({ status: 1 }), "FIELD_INVALID"),
    invalid("blob-header", "found, too long", header({ status: 1, length: 0xffff_ffff }), "FIELD_INVALID"),
    invalid("blob-header", "busy with a length", header({ status: 3, length: 1 }), "FIELD_INVALID"),
    valid("frame", "three bytes and a rest", concatBytes(encodeFrame(Uint8Array.of(1, 2, 3)), Uint8Array.of(9)), {
      message: "010203",
      rest: "09",
    }),
    valid("frame", "empty message", encodeFrame(new Uint8Array()), { message: "", rest: "" }),
    valid("frame", "header incomplete", Uint8Array.of(0, 0, 0), "incomplete"),
    valid("frame", "message incomplete", encodeFrame(Uint8Array.of(1, 2)).subarray(0, 5), "incomplete"),
    invalid("frame", "longer than allowed", Uint8Array.of(0, 0, 0, 65), "TOO_LARGE"),
  ];
}
