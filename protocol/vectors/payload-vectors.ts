/** Golden vectors of payloads: a network's settings, the previous update, bytes; the values or the verdict code. */

import { bytesToHex } from "@noble/hashes/utils.js";
import type { AdapterTensor } from "../adapter-spec.ts";
import type { UpdateEncoding, ValueEncoding } from "../encoding/update-encoding.ts";
import { encodeUpdate } from "../encoding/update-payload.ts";
import { createPrng } from "../prng.ts";
import type { VerdictCode } from "../verdict.ts";

/** A payload in hex, the update before it, and its values or the code of its refusal. */
export interface PayloadVector {
  readonly name: string;
  readonly tensors: readonly AdapterTensor[];
  /** The manifest's field. */
  readonly manifestEncoding: UpdateEncoding;
  readonly sequence: number;
  /** The decoded form of the previous update; unknown when absent. */
  readonly previous?: readonly number[];
  readonly encoding: number;
  /** Hexadecimal. */
  readonly payload: string;
  readonly expected: { readonly values: readonly number[] } | { readonly code: VerdictCode };
}

const TENSORS: readonly AdapterTensor[] = [
  { name: "a", shape: [2, 6] },
  { name: "b", shape: [3] },
  { name: "c", shape: [2, 1] },
];
const PREVIOUS = [0.5, -1.25, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0.125, -0.25, 8, 1e-3, 7];
const VALUES = [0.5, -1.5, 0.01, 1, 2, 3.5, 0, 0, 0, 0, 0, 0, 0.375, -0.25, 8, 1e-3, -7];
const KINDS: readonly ValueEncoding[] = ["float32", "float16", "int8"];

/** All vectors of payloads. */
export function payloadVectors(): readonly PayloadVector[] {
  return KINDS.flatMap((values): PayloadVector[] => {
    const dense = written({ values }, 0);
    const changes = written({ values, topK: { share: 0.2, keyframeEvery: 4 } }, 5);
    const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
    const code = (
      name: string,
      of: PayloadVector,
      to: Partial<PayloadVector>,
      expected: VerdictCode,
    ): PayloadVector => ({
      ...of,
      ...to,
      name: `${values}: ${name}`,
      expected: { code: expected },
    });
    const set = (of: PayloadVector, index: number, value: number) => {
      const copy = bytes(of.payload);
      copy[(index + copy.length) % copy.length] = value;
      return { payload: bytesToHex(copy) };
    };
    const { previous: _, ...alone } = changes;
    return [
      dense,
      {
        ...dense,
        name: `${values}: dense where changes may be`,
        manifestEncoding: changes.manifestEncoding,
        sequence: 6,
      },
      changes,
      {
        ...changes,
        name: `${values}: no changes`,
        payload: "00000000",
        expected: { values: PREVIOUS.map(Math.fround) },
      },
      code("changes to what is not known", alone, {}, "BASE_UNKNOWN"),
      code("changes where a keyframe is due", changes, { sequence: 8 }, "ENCODING_UNKNOWN"),
      code("changes in a network without them", changes, { manifestEncoding: { values } }, "ENCODING_UNKNOWN"),
      code("of another network", dense, { encoding: (dense.encoding % 3) + 1 }, "ENCODING_UNKNOWN"),
      code("one byte short", dense, { payload: dense.payload.slice(2) }, "PAYLOAD_LENGTH"),
      code("changes and one byte", changes, { payload: `${changes.payload}00` }, "PAYLOAD_LENGTH"),
      code("one change too many", changes, set(changes, 0, 5), "PAYLOAD_LENGTH"),
      code("no count", changes, { payload: "000000" }, "PAYLOAD_LENGTH"),
      code("a place that is none", changes, set(changes, 4, 0xff), "PAYLOAD_INVALID"),
      code("not a number", dense, { payload: nan(dense.payload, values) }, "VALUE_NOT_FINITE"),
      ...(values === "int8" ? [code("a code of -128", dense, set(dense, 4, 0x80), "PAYLOAD_INVALID")] : []),
    ];
  });
}

function written(manifestEncoding: UpdateEncoding, sequence: number): PayloadVector {
  const sent = encodeUpdate(Float32Array.from(VALUES), {
    tensors: TENSORS,
    encoding: manifestEncoding,
    sequence,
    previous: Float32Array.from(PREVIOUS),
    prng: createPrng(11),
  });
  const { values, topK } = manifestEncoding;
  return {
    name: `${values}: ${topK === undefined ? "dense" : "changes"}`,
    tensors: TENSORS,
    manifestEncoding,
    sequence,
    ...(topK === undefined ? {} : { previous: PREVIOUS }),
    encoding: sent.encoding,
    payload: bytesToHex(sent.payload),
    expected: { values: [...sent.decoded] },
  };
}

/** The first value, or the first scale, not a number. */
const nan = (payload: string, values: ValueEncoding): string =>
  values === "float16" ? `007e${payload.slice(4)}` : `0000c07f${payload.slice(8)}`;
