/**
 * The sketch: a description of an author's data set, as a mixture of Gaussians over SKETCH_FEATURES features of the frozen base
 * model. Signed once for a network, bound to it and to its author; anybody may hand it on.
 */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { DIGEST_BYTES } from "./content-id.ts";
import { openEnvelope, type Signer, sealEnvelope } from "./envelope.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "./network-id.ts";
import { type PeerId, PUBLIC_KEY_BYTES, peerIdFromPublicKey, publicKeyOfPeerId } from "./peer-id.ts";
import { SketchBodySchema, SketchRequestSchema } from "./wire_pb.ts";

/** F, the features of every sketch (README.md 6.10). */
export const SKETCH_FEATURES = 32;
/** The sum of the shares of a sketch. */
export const SHARES_TOTAL = 65_536;

const COMPONENT_BYTES = 2 * SKETCH_FEATURES * 4;

/** One Gaussian of a sketch's mixtures. */
export interface SketchComponent {
  /** Share of the mixture, above 0; all of them add up to 1. */
  readonly weight: number;
  /** [F], each from -1 to 1. */
  readonly mean: Float64Array;
  /** Standard deviations [F], each from 0 to 1. */
  readonly deviation: Float64Array;
}

/** The content of a sketch. */
export interface SketchFields {
  readonly networkId: NetworkId;
  /** 1 to LIMITS.sketchComponentCountMax. */
  readonly components: readonly SketchComponent[];
}

/** A sketch with its author. */
export interface SignedSketch extends SketchFields {
  readonly author: PeerId;
}

/**
 * Bytes of the body of a sketch, in canonical form. Weights are rounded to multiples of 2^-16 of at least one, values to
 * float32.  Throws: FIELD_INVALID.
 */
export function encodeSketchBody({ networkId, components }: SketchFields): Uint8Array {
  if (components.some(({ mean, deviation }) => mean.length !== SKETCH_FEATURES || deviation.length !== mean.length)) {
    throw new ProtocolError("FIELD_INVALID", `sketch: a component has ${SKETCH_FEATURES} features`);
  }
  const values = new DataView(new ArrayBuffer(components.length * COMPONENT_BYTES));
  for (const [c, { mean, deviation }] of components.entries()) {
    for (const [i, x] of [...mean, ...deviation].entries()) values.setFloat32(c * COMPONENT_BYTES + 4 * i, x, true);
  }
  const body = { shares: sharesOf(components), values: new Uint8Array(values.buffer) };
  const problem = bodyProblem(body);
  if (problem !== undefined) throw new ProtocolError("FIELD_INVALID", `sketch: ${problem}`);
  return encodeCanonical(SketchBodySchema, { networkId: networkIdToBytes(networkId), ...body });
}

/** Fields of a sketch from the bytes of its body.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID. */
export function decodeSketchBody(bytes: Uint8Array): SketchFields {
  const body = decodeCanonical(SketchBodySchema, bytes, LIMITS.sketchBytesMax);
  if (body.networkId.length !== DIGEST_BYTES) {
    throw new ProtocolError("MALFORMED", `sketch: a network id is ${DIGEST_BYTES} bytes`);
  }
  const problem = bodyProblem(body);
  if (problem !== undefined) throw new ProtocolError("FIELD_INVALID", `sketch: ${problem}`);
  return {
    networkId: networkIdFromBytes(body.networkId),
    components: body.shares.map((share, c) => ({
      weight: share / SHARES_TOTAL,
      mean: valuesAt(body.values, 2 * c),
      deviation: valuesAt(body.values, 2 * c + 1),
    })),
  };
}

/** Sign a sketch.  Throws: FIELD_INVALID. */
export function signSketch(fields: SketchFields, signer: Signer): Uint8Array {
  return sealEnvelope("sketch", encodeSketchBody(fields), signer);
}

/**
 * Read a sketch's envelope without judging it: for bytes that this peer accepted or wrote itself. Bytes from anybody else
 * go through `judgeSketch`.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, WRONG_KIND, FIELD_INVALID.
 */
export function readSketch(bytes: Uint8Array): SignedSketch {
  const { author, body } = openEnvelope("sketch", bytes);
  return { ...decodeSketchBody(body), author };
}

/** The request for the sketch of an author. */
export function encodeSketchRequest(author: PeerId): Uint8Array {
  return encodeCanonical(SketchRequestSchema, { author: publicKeyOfPeerId(author) });
}

/** Whose sketch is asked for.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL. */
export function decodeSketchRequest(bytes: Uint8Array): PeerId {
  const { author } = decodeCanonical(SketchRequestSchema, bytes, LIMITS.blobHeaderBytesMax);
  if (author.length !== PUBLIC_KEY_BYTES) {
    throw new ProtocolError("MALFORMED", `sketch request: a public key is ${PUBLIC_KEY_BYTES} bytes`);
  }
  return peerIdFromPublicKey(author);
}

function bodyProblem({
  shares,
  values,
}: {
  readonly shares: readonly number[];
  readonly values: Uint8Array;
}): string | undefined {
  const countMax = LIMITS.sketchComponentCountMax;
  if (shares.length < 1 || shares.length > countMax) return `it has 1 to ${countMax} components, not ${shares.length}`;
  if (values.length !== shares.length * COMPONENT_BYTES) {
    return `${shares.length} components have ${shares.length * COMPONENT_BYTES} bytes of values, not ${values.length}`;
  }
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (total !== SHARES_TOTAL || shares.some((share) => share < 1)) {
    return `shares are 1 or more and add up to ${SHARES_TOTAL}, not to ${total}`;
  }
  for (let part = 0; part < 2 * shares.length; part++) {
    const least = part % 2 === 0 ? -1 : 0;
    const within = valuesAt(values, part).every((x) => x >= least && x <= 1);
    if (!within) return "means are from -1 to 1 and deviations from 0 to 1";
  }
  return undefined;
}

/** F values, the `part`th such run. */
function valuesAt(bytes: Uint8Array, part: number): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: SKETCH_FEATURES }, (_, i) =>
    view.getFloat32(4 * (part * SKETCH_FEATURES + i), true),
  );
}

/** Weights as multiples of 2^-16 of at least one that add up to 1: the missing part goes to those rounded down most. */
function sharesOf(components: readonly SketchComponent[]): number[] {
  const total = components.reduce((sum, { weight }) => sum + weight, 0);
  if (!(total > 0) || !components.every(({ weight }) => weight > 0)) {
    throw new ProtocolError("FIELD_INVALID", "sketch: weights are above 0");
  }
  // One for each beforehand, so that none is left without.
  const free = SHARES_TOTAL - components.length;
  const exact = components.map(({ weight }) => (free * weight) / total);
  const shares = exact.map((share) => 1 + Math.floor(share));
  const missing = SHARES_TOTAL - shares.reduce((sum, share) => sum + share, 0);
  const byRest = exact
    .map((share, i) => ({ i, rest: share - Math.floor(share) }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i);
  for (const { i } of byRest.slice(0, missing)) shares[i]! += 1;
  return shares;
}
