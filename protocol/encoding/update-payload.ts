/**
 * The payload of an update: an adapter in one of the encodings of README.md, section 6. A *dense* one holds every value
 * and is read by itself. A *sparse* one holds the largest changes since the author's previous update, as every reader of
 * that update knows it. Changes that are not sent stay in the residual, and are sent when they have grown (error feedback):
 * e <- e + delta, q = topk(e), e <- e - q, where e = theta - theta' and theta' is the adapter that the others know.
 * Source: Stich, Cordonnier, Jaggi 2018, arXiv:1809.07599; Karimireddy et al. 2019, arXiv:1901.09847.
 */

import { type AdapterTensor, parameterCount } from "../adapter-spec.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Prng } from "../prng.ts";
import { decodeIndices, encodeIndices, indexBytesMax } from "./index-set.ts";
import type { RowRun } from "./int8.ts";
import { largestIndices } from "./largest.ts";
import type { UpdateEncoding, ValueEncoding } from "./update-encoding.ts";
import { decodeValuesAs, encodeValuesAs, valuesBytes } from "./values.ts";

/** The field `encoding` of an update, as a type. */
export const ENCODINGS = {
  1: { values: "float32", isSparse: false },
  2: { values: "float16", isSparse: false },
  3: { values: "int8", isSparse: false },
  4: { values: "float32", isSparse: true },
  5: { values: "float16", isSparse: true },
  6: { values: "int8", isSparse: true },
} as const satisfies Record<number, { readonly values: ValueEncoding; readonly isSparse: boolean }>;

/** The settings that all peers of a network agree on; fields of its manifest. */
export interface PayloadRules {
  readonly tensors: readonly AdapterTensor[];
  /** float32, every value, when absent. */
  readonly encoding?: UpdateEncoding | undefined;
}

/** The encoded values of an update, and the encoding that they are in. */
export interface Payload {
  /** A number of ENCODINGS. */
  readonly encoding: number;
  readonly payload: Uint8Array;
  /** f32[P], the values that a reader decodes from the payload; values - decoded is the residual e. */
  readonly decoded: Float32Array;
}

/** Number of values that share a scale where a payload is sparse: neighbours in the list of sent values. */
const SPARSE_ROW = 256;
/** k, before the places. */
const COUNT_BYTES = 4;

/** Whether an encoding is of changes, and needs the author's previous update. */
export function isSparse(encoding: number): boolean {
  return ENCODINGS[encoding as keyof typeof ENCODINGS]?.isSparse ?? false;
}

/** An update's field `encoding`, for a manifest's values. */
export function encodingNumber(values: ValueEncoding, { sparse } = { sparse: false }): number {
  const found = Object.entries(ENCODINGS).find(([, one]) => one.values === values && one.isSparse === sparse);
  return Number(found?.[0]);
}

/** k: the most values of a sparse payload. */
export function sparseCountMax(share: number, places: number): number {
  return Math.min(places, Math.ceil(share * places));
}

/** The bytes of a dense payload, and the most of a sparse one where there are such. */
export function payloadSizes({ tensors, encoding }: PayloadRules): {
  readonly dense: number;
  readonly sparseMax?: number;
} {
  const values = encoding?.values ?? "float32";
  const dense = valuesBytes(values, rowsOf(tensors));
  if (encoding?.topK === undefined) return { dense };
  const places = parameterCount(tensors);
  const count = sparseCountMax(encoding.topK.share, places);
  return { dense, sparseMax: COUNT_BYTES + indexBytesMax(count, places) + valuesBytes(values, sparseRows(count)) };
}

/** The most bytes of a payload. */
export function payloadBytesMax(rules: PayloadRules): number {
  const { dense, sparseMax = 0 } = payloadSizes(rules);
  return Math.max(dense, sparseMax);
}

/**
 * Encode an adapter. `previous` is the adapter that the others have decoded from this author's previous update. The payload
 * is dense without a `previous`, at every `keyframeEvery`-th sequence, and where changes would take more bytes. `prng` decides
 * how int8 rounds; other encodings draw nothing.
 * Shapes: values f32[P], previous f32[P].  Throws: VALUE_NOT_FINITE, TOO_LARGE.
 */
export function encodeUpdate(
  values: Float32Array,
  options: PayloadRules & {
    readonly sequence: number;
    readonly previous?: Float32Array | undefined;
    readonly prng: Prng;
  },
): Payload {
  const { tensors, encoding: { values: kind, topK } = { values: "float32" }, sequence, previous, prng } = options;
  const places = parameterCount(tensors);
  if (places > LIMITS.parameterCountMax) {
    const text = `update: ${places} values, at most ${LIMITS.parameterCountMax} are allowed`;
    throw new ProtocolError("TOO_LARGE", text);
  }
  if (values.length !== places)
    throw new RangeError(`an update of this network has ${places} values, not ${values.length}`);
  const rows = rowsOf(tensors);
  if (topK !== undefined && previous !== undefined && sequence % topK.keyframeEvery !== 0) {
    const sparse = encodeChanges(values, { kind, previous, count: sparseCountMax(topK.share, places), prng });
    if (sparse !== undefined && sparse.payload.length < valuesBytes(kind, rows)) return sparse;
  }
  const payload = encodeValuesAs(kind, values, { rows, prng });
  const decoded = kind === "float32" ? values.slice() : decodeValuesAs(kind, payload, rows);
  return { encoding: encodingNumber(kind), payload, decoded };
}

/**
 * Decode an adapter that a stranger encoded. `previous` is the decoded form of the update that it names as its previous one.
 * Shapes: f32[P].
 * Throws: ENCODING_UNKNOWN (none, or not one that the manifest allows at this sequence), PAYLOAD_LENGTH,
 * PAYLOAD_INVALID, VALUE_NOT_FINITE; at last BASE_UNKNOWN when it is sparse and there is no `previous`.
 */
export function decodeUpdate(
  update: { readonly encoding: number; readonly payload: Uint8Array; readonly sequence: number },
  {
    tensors,
    encoding: { values: kind, topK } = { values: "float32" },
    previous,
  }: PayloadRules & {
    readonly previous?: Float32Array | undefined;
  },
): Float32Array {
  const { encoding, payload, sequence } = update;
  if (encoding === encodingNumber(kind)) {
    const rows = rowsOf(tensors);
    checkLength(payload, valuesBytes(kind, rows));
    return decodeValuesAs(kind, payload, rows);
  }
  if (
    encoding !== encodingNumber(kind, { sparse: true }) ||
    topK === undefined ||
    sequence % topK.keyframeEvery === 0
  ) {
    const text = `update: encoding ${encoding} is not one that this network takes at sequence ${sequence}`;
    throw new ProtocolError("ENCODING_UNKNOWN", text, { encoding });
  }
  const places = parameterCount(tensors);
  const changes = decodeChanges(payload, { kind, places, countMax: sparseCountMax(topK.share, places) });
  if (previous === undefined) {
    throw new ProtocolError("BASE_UNKNOWN", "update: it is of changes to an update that is not known here");
  }
  return withChanges(previous, changes);
}

interface Changes {
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

/** undefined where a difference cannot be written. */
function encodeChanges(
  values: Float32Array,
  options: {
    readonly kind: ValueEncoding;
    readonly previous: Float32Array;
    readonly count: number;
    readonly prng: Prng;
  },
): Payload | undefined {
  const { kind, previous, count, prng } = options;
  const difference = values.map((value, i) => value - previous[i]!);
  if (!difference.every(Number.isFinite)) return undefined;
  const indices = largestIndices(difference, count);
  const rows = sparseRows(indices.length);
  const sent = Float32Array.from(indices, (index) => difference[index]!);
  const written = encodeValuesAs(kind, sent, { rows, prng });
  const places = encodeIndices(indices, values.length);
  const payload = new Uint8Array(COUNT_BYTES + places.length + written.length);
  new DataView(payload.buffer).setUint32(0, indices.length, true);
  payload.set(places, COUNT_BYTES);
  payload.set(written, COUNT_BYTES + places.length);
  const decoded = previous.slice();
  const read = kind === "float32" ? sent : decodeValuesAs(kind, written, rows);
  for (const [n, index] of indices.entries()) decoded[index]! += read[n]!;
  if (!decoded.every(Number.isFinite)) return undefined;
  return { encoding: encodingNumber(kind, { sparse: true }), payload, decoded };
}

function decodeChanges(
  payload: Uint8Array,
  { kind, places, countMax }: { readonly kind: ValueEncoding; readonly places: number; readonly countMax: number },
): Changes {
  if (payload.length < COUNT_BYTES) throw new ProtocolError("PAYLOAD_LENGTH", "update: the payload has no count");
  const count = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
  if (count > countMax) {
    const text = `update: ${count} changes, at most ${countMax} are allowed`;
    throw new ProtocolError("PAYLOAD_LENGTH", text, { count, countMax });
  }
  const rows = sparseRows(count);
  const end = payload.length - valuesBytes(kind, rows);
  if (end < COUNT_BYTES)
    throw new ProtocolError("PAYLOAD_LENGTH", `update: the payload has no room for ${count} changes`);
  const { indices, bytesLength } = decodeIndices(payload.subarray(COUNT_BYTES, end), { count, places });
  checkLength(payload, COUNT_BYTES + bytesLength + valuesBytes(kind, rows));
  return { indices, values: decodeValuesAs(kind, payload.subarray(end), rows) };
}

function withChanges(previous: Float32Array, { indices, values }: Changes): Float32Array {
  const out = previous.slice();
  for (const [n, index] of indices.entries()) {
    out[index]! += values[n]!;
    if (!Number.isFinite(out[index]!)) {
      throw new ProtocolError("VALUE_NOT_FINITE", `update: value ${index} is not finite`, { index });
    }
  }
  return out;
}

/** The rows of the manifest's tensors: their last axis. */
function rowsOf(tensors: readonly AdapterTensor[]): readonly RowRun[] {
  return tensors.map(({ shape }) => {
    const length = shape.at(-1) ?? 1;
    return { rows: shape.slice(0, -1).reduce((product, n) => product * n, 1), length };
  });
}

function sparseRows(count: number): readonly RowRun[] {
  const rest = count % SPARSE_ROW;
  return [
    { rows: (count - rest) / SPARSE_ROW, length: SPARSE_ROW },
    { rows: rest === 0 ? 0 : 1, length: rest },
  ];
}

function checkLength({ length }: Uint8Array, expected: number): void {
  if (length === expected) return;
  const text = `update: a payload of ${length} bytes where ${expected} are expected`;
  throw new ProtocolError("PAYLOAD_LENGTH", text, { bytes: length, expected });
}
