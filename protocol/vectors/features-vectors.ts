/** Vectors of features: the needs of manifests, and greetings and answers that tell names. */
import { bytesToHex } from "@noble/hashes/utils.js";
import { encodeCanonical } from "../canonical-message.ts";
import { BASELINE_FEATURES, type Feature, requiredFeatures } from "../features.ts";
import { answerHello, encodeHello, HANDSHAKE_CODES, type HandshakeCode } from "../handshake.ts";
import { LIMITS } from "../limits.ts";
import { networkIdToBytes } from "../network-id.ts";
import { canonicalManifestBytes, type NetworkManifest, networkId } from "../network-manifest.ts";
import { PROTOCOL_VERSION } from "../stream-protocols.ts";
import { HandshakeHelloSchema, HandshakeReplySchema } from "../wire_pb.ts";
import { BOB, EXAMPLE_MANIFEST } from "./example-network.ts";
import { ROSTER_MANIFEST } from "./example-roster.ts";

/** A manifest and the features that it needs, or a greeting or answer that names features. */
export type FeaturesVector =
  | { readonly message: "manifest"; readonly name: string; readonly text: string; readonly needs: readonly Feature[] }
  | {
      readonly message: "hello";
      readonly name: string;
      /** Canonical text of the receiver's manifest, and the receiver's features; without these it tells nothing. */
      readonly manifest: string;
      readonly own?: readonly string[];
      /** Hexadecimal digits, as is the reply. */
      readonly bytes: string;
      readonly expected: HandshakeCode;
      readonly missing: readonly Feature[];
      readonly reply: string;
    }
  | {
      readonly message: "reply";
      readonly name: string;
      readonly bytes: string;
      readonly expected:
        | { readonly code: HandshakeCode; readonly features: readonly string[]; readonly missing: readonly string[] }
        | { readonly refused: string };
    };

/** A network whose updates are the largest changes in int8. */
const SPARSE_MANIFEST: NetworkManifest = {
  ...EXAMPLE_MANIFEST,
  encoding: { values: "int8", topK: { share: 0.1, keyframeEvery: 4 } },
};

const weighed = (weights: NonNullable<NetworkManifest["aggregation"]["weights"]>): NetworkManifest => ({
  ...EXAMPLE_MANIFEST,
  aggregation: { ...EXAMPLE_MANIFEST.aggregation, weights },
});
const text = (manifest: NetworkManifest): string => new TextDecoder().decode(canonicalManifestBytes(manifest));

/** All vectors of features. */
export function featuresVectors(): readonly FeaturesVector[] {
  return [...manifestRows(), ...helloRows(), ...replyRows()];
}

function manifestRows(): readonly FeaturesVector[] {
  const row = (name: string, manifest: NetworkManifest): FeaturesVector => ({
    ...{ message: "manifest", name, text: text(manifest), needs: requiredFeatures(manifest) },
  });
  const adapter = { kind: "tri-lora", rank: 4, alpha: 8, targets: ["q_proj"], layers: "all", basis: "shared" } as const;
  const similar = weighed({ kind: "similarity", temperature: 0.1, data: { share: 0.5, temperature: 1 } });
  return [
    row("the example network", EXAMPLE_MANIFEST),
    row("float16", { ...EXAMPLE_MANIFEST, encoding: { values: "float16" } }),
    row("int8 and the largest changes", SPARSE_MANIFEST),
    row("metropolis", weighed({ kind: "metropolis" })),
    row("data sets", { ...similar, adapter }),
    row("a roster", ROSTER_MANIFEST),
  ];
}

function helloRows(): readonly FeaturesVector[] {
  const row = (
    name: string,
    bytes: Uint8Array,
    { manifest = EXAMPLE_MANIFEST, own }: { manifest?: NetworkManifest; own?: readonly string[] } = {},
  ): FeaturesVector => {
    const context = { manifest, isMember: () => true, busy: false, ...(own && { features: own }) };
    const { code, missing, reply } = answerHello(bytes, BOB.peer, context);
    const told = { manifest: text(manifest), ...(own && { own }) };
    return {
      message: "hello",
      name,
      ...told,
      bytes: bytesToHex(bytes),
      expected: code,
      missing,
      reply: bytesToHex(reply),
    };
  };
  const tells = (features: readonly string[], manifest = EXAMPLE_MANIFEST) =>
    encodeHello(manifest, undefined, features);
  /** As somebody else might write it. */
  const raw = (features: string[]) =>
    encodeCanonical(HandshakeHelloSchema, {
      networkId: networkIdToBytes(networkId(EXAMPLE_MANIFEST)),
      protocolVersion: PROTOCOL_VERSION,
      manifest: canonicalManifestBytes(EXAMPLE_MANIFEST),
      features,
    });
  const sparse = { manifest: SPARSE_MANIFEST };
  // Features that are added later change no vector.
  const own = BASELINE_FEATURES;
  const many = Array.from({ length: LIMITS.featureCountMax + 1 }, (_, i) => `f${String(i).padStart(3, "0")}`);
  return [
    row("tells nothing, is told nothing", tells([])),
    row("tells nothing, is told all", tells([]), { own }),
    row("tells nothing, where the largest changes are sent", tells([], SPARSE_MANIFEST), { ...sparse, own }),
    row("tells all", tells(own), { own }),
    row("has the core alone", tells(["core"]), { own }),
    row("has what nobody knows, too", tells(["core", "zebra-stripes-2"]), { own }),
    row("lacks the core", tells(["roster"]), { own }),
    row("lacks both of the encoding", tells(["core"], SPARSE_MANIFEST), { ...sparse, own }),
    row("lacks one of the encoding", tells(["core", "encoding-int8"], SPARSE_MANIFEST), { ...sparse, own }),
    row("has the encoding", tells(["core", "encoding-int8", "encoding-top-k"], SPARSE_MANIFEST), { ...sparse, own }),
    row("does not rise", raw(["core", "checkup"])),
    row("one twice", raw(["core", "core"])),
    row("an empty name", raw([""])),
    row("a capital", raw(["Core"])),
    row("a hyphen at the end", raw(["core-"])),
    row("two hyphens", raw(["core--2"])),
    row("a line break", raw(["core\n"])),
    row("a name that is too long", raw(["f".repeat(LIMITS.featureNameLengthMax + 1)])),
    row("too many", raw(many)),
  ];
}

function replyRows(): readonly FeaturesVector[] {
  const reply = (code: HandshakeCode, fields: object) =>
    bytesToHex(
      encodeCanonical(HandshakeReplySchema, {
        code: HANDSHAKE_CODES[code],
        protocolVersion: PROTOCOL_VERSION,
        networkId: networkIdToBytes(networkId(EXAMPLE_MANIFEST)),
        ...fields,
      }),
    );
  const valid = (
    name: string,
    code: HandshakeCode,
    told: { features: string[]; missing: string[] },
  ): FeaturesVector => ({
    ...{ message: "reply", name, bytes: reply(code, told), expected: { code, ...told } },
  });
  const refused = (name: string, code: HandshakeCode, fields: object, why: string): FeaturesVector => ({
    ...{ message: "reply", name, bytes: reply(code, fields), expected: { refused: why } },
  });
  return [
    valid("welcome", "WELCOME", { features: ["checkup", "core", "tomorrow"], missing: [] }),
    valid("what the other side lacks", "FEATURES", { features: ["core", "tomorrow"], missing: ["tomorrow"] }),
    refused("nothing is missing", "FEATURES", { features: ["core"] }, "MALFORMED"),
    refused("welcome, and something is missing", "WELCOME", { missing: ["core"] }, "MALFORMED"),
    refused("features beside another refusal", "BUSY", { features: ["core"] }, "MALFORMED"),
    refused("features do not rise", "WELCOME", { features: ["core", "checkup"] }, "NOT_CANONICAL"),
    refused("what is missing does not rise", "FEATURES", { missing: ["core", "checkup"] }, "NOT_CANONICAL"),
    refused("what is missing is no name", "FEATURES", { missing: ["a b"] }, "FIELD_INVALID"),
  ];
}
