/** Golden vectors of sketches: the envelope, and the verdict of a receiver that asked for Alice's. */
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";
import { encodeCanonical } from "../canonical-message.ts";
import { sealEnvelope } from "../envelope.ts";
import { LIMITS } from "../limits.ts";
import { networkIdToBytes } from "../network-id.ts";
import { encodeSketchBody, SHARES_TOTAL, SKETCH_FEATURES, type SketchFields, signSketch } from "../sketch.ts";
import { signUpdate } from "../update.ts";
import type { VerdictCode } from "../verdict.ts";
import { SketchBodySchema } from "../wire_pb.ts";
import { ALICE, BOB, EXAMPLE_SKETCH, EXAMPLE_UPDATE, OBSERVER, STRANGER } from "./example-network.ts";

/** A sketch's envelope in hex, and its verdict. */
export interface SketchVector {
  readonly name: string;
  /** The envelope, hexadecimal. */
  readonly bytes: string;
  readonly expected: VerdictCode;
}

/** All vectors of sketches. */
export function sketchVectors(): readonly SketchVector[] {
  const vector = (name: string, bytes: Uint8Array, expected: VerdictCode): SketchVector => ({
    name,
    bytes: bytesToHex(bytes),
    expected,
  });
  const { networkId, components } = EXAMPLE_SKETCH;
  const signed = (fields: Partial<SketchFields> = {}, signer = ALICE) =>
    signSketch({ ...EXAMPLE_SKETCH, ...fields }, signer);
  const sealed = (body: Uint8Array) => sealEnvelope("sketch", body, ALICE);
  const raw = (fields: object) =>
    sealed(
      encodeCanonical(SketchBodySchema, {
        networkId: networkIdToBytes(networkId),
        shares: [SHARES_TOTAL],
        values: floats(new Array(2 * SKETCH_FEATURES).fill(0.5)),
        ...fields,
      }),
    );
  const values = (at: number, value: number) => ({
    values: floats(new Array(2 * SKETCH_FEATURES).fill(0.5).with(at, value)),
  });
  const one = components[0]!;
  const most = Array.from({ length: LIMITS.sketchComponentCountMax }, () => one);
  const forged = signed();
  forged[forged.length - 1]! ^= 1;
  return [
    vector("valid", signed(), "ACCEPTED"),
    vector("valid, one component", raw({}), "ACCEPTED"),
    vector("valid, as many components as may be", signed({ components: most }), "ACCEPTED"),
    vector("valid, a share of one", signed({ components: [one, { ...one, weight: 1e-9 }] }), "ACCEPTED"),
    vector("valid, values at their ends", raw(values(0, -1)), "ACCEPTED"),
    vector("one byte too long", new Uint8Array(LIMITS.sketchBytesMax + 1), "TOO_LARGE"),
    vector("not protobuf", Uint8Array.of(0xff), "MALFORMED"),
    vector("truncated", signed().subarray(0, 100), "MALFORMED"),
    vector("network id of 31 bytes", raw({ networkId: new Uint8Array(31) }), "MALFORMED"),
    vector(
      "body not canonical",
      sealed(concatBytes(encodeSketchBody(EXAMPLE_SKETCH), Uint8Array.of(0x78, 0))),
      "NOT_CANONICAL",
    ),
    vector("an update", signUpdate(EXAMPLE_UPDATE, ALICE).bytes, "WRONG_KIND"),
    vector("no components", raw({ shares: [], values: new Uint8Array() }), "FIELD_INVALID"),
    vector(
      "more components than may be",
      raw({ shares: new Array(65).fill(1008), values: new Uint8Array(64) }),
      "FIELD_INVALID",
    ),
    vector(
      "a share of zero",
      raw({ shares: [SHARES_TOTAL, 0], values: floats(new Array(128).fill(0)) }),
      "FIELD_INVALID",
    ),
    vector("shares that add up to less", raw({ shares: [SHARES_TOTAL - 1] }), "FIELD_INVALID"),
    vector("values that are too few", raw({ values: new Uint8Array(252) }), "FIELD_INVALID"),
    vector("a mean above 1", raw(values(31, 1.001)), "FIELD_INVALID"),
    vector("a mean below -1", raw(values(0, -1.001)), "FIELD_INVALID"),
    vector("a mean that is no number", raw(values(3, Number.NaN)), "FIELD_INVALID"),
    vector("a deviation below 0", raw(values(32, -0.001)), "FIELD_INVALID"),
    vector("an infinite deviation", raw(values(63, Number.POSITIVE_INFINITY)), "FIELD_INVALID"),
    vector("another signature", forged, "SIGNATURE_INVALID"),
    vector("other network", signed({ networkId: "ab".repeat(32) as SketchFields["networkId"] }), "NETWORK_MISMATCH"),
    vector("another author than asked for", signed({}, BOB), "CONTENT_MISMATCH"),
    vector("not a member", signed({}, STRANGER), "NOT_A_MEMBER"),
    vector("a member whose role does not send", signed({}, OBSERVER), "ROLE_FORBIDS"),
  ];
}

function floats(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
  return new Uint8Array(view.buffer);
}
