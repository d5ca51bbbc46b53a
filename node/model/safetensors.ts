/**
 * The safetensors file: eight bytes of header length (little endian), a JSON header, then the raw values.
 * Read strictly, because files come from anywhere: every range is inside the file, fits its shape, and the tensors
 * cover the data without gap or overlap.  Source: https://huggingface.co/docs/safetensors, section "Format".
 */
import { jsonFlaw } from "../../protocol/json-names.ts";
import { NodeError } from "../errors.ts";
import { sizeOf } from "../tensor.ts";

/** Every type of values that the format has at 0.8; weft computes with the first four, the others may stand beside them. */
export type SafetensorsDtype =
  | ("F64" | "F32" | "F16" | "BF16")
  | ("I64" | "I32" | "I16" | "I8" | "U64" | "U32" | "U16" | "U8" | "BOOL" | "C64")
  | ("F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" | "F6_E2M3" | "F6_E3M2" | "F4");

/** One tensor as the header lists it. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** First byte of the values, counted from `dataOffset`. */
  readonly begin: number;
  /** One past the last byte, counted from `dataOffset`. */
  readonly end: number;
}

/** A header that was read and checked. */
export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Position of the first value in the file. */
  readonly dataOffset: number;
}

/** One tensor and its raw bytes. */
export interface SafetensorsTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** A view of the file's bytes, little endian; not necessarily aligned. */
  readonly bytes: Uint8Array;
}

/** A whole file in memory. */
export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The bound that the format itself sets on its header. */
export const SAFETENSORS_HEADER_BYTES_MAX = 100_000_000;

/** The header's object, a tensor's object, its shape: a valid header nests no deeper. */
const HEADER_DEPTH_MAX = 3;

/** Bytes of a value; a fraction where several share a byte, as numbers of 4 and 6 bits do. */
const BYTES: Readonly<Record<SafetensorsDtype, number>> = {
  ...{ F64: 8, F32: 4, F16: 2, BF16: 2 },
  ...{ I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1, C64: 8 },
  ...{ F8_E4M3: 1, F8_E5M2: 1, F8_E8M0: 1, F8_E4M3FNUZ: 1, F8_E5M2FNUZ: 1, F6_E2M3: 0.75, F6_E3M2: 0.75, F4: 0.5 },
};

/**
 * The checked header of a file.  bytes: the whole file, or its beginning when `fileBytes` gives the whole length.
 * name: the file's name, for the error line.
 * Throws: SAFETENSORS_INVALID.
 */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  options: { readonly name: string; readonly fileBytes?: number },
): SafetensorsHeader {
  const { name, fileBytes = bytes.length } = options;
  const fail = failure(name);
  const length = headerLength(bytes, fileBytes, fail);
  const text = decodeHeader(bytes.subarray(8, 8 + length), fail);
  checkStructure(text, fail);
  const header = parseObject(text, fail);
  const metadata = readMetadata(header.get("__metadata__"), fail);
  header.delete("__metadata__");
  const entries = [...header]
    .map(([tensor, value]) => readEntry(tensor, value, fail))
    .toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  checkRanges(entries, { dataOffset: 8 + length, fileBytes, fail });
  return { entries, metadata, dataOffset: 8 + length };
}

/** All tensors of a file as views of its bytes.  Throws: SAFETENSORS_INVALID. */
export function readSafetensors(bytes: Uint8Array, options: { readonly name: string }): SafetensorsFile {
  const { entries, metadata, dataOffset } = parseSafetensorsHeader(bytes, options);
  const tensors = new Map(
    entries.map(({ name, dtype, shape, begin, end }) => [
      name,
      { dtype, shape, bytes: new Uint8Array(bytes.buffer, bytes.byteOffset + dataOffset + begin, end - begin) },
    ]),
  );
  return { tensors, metadata };
}

/** The values as float32, always a copy; F64 is rounded.  Throws: SAFETENSORS_INVALID for integers and booleans. */
export function toFloat32(tensor: Pick<SafetensorsTensor, "dtype" | "bytes">): Float32Array {
  const { dtype, bytes } = tensor;
  const copy = new Uint8Array(bytes).buffer;
  switch (dtype) {
    case "F32":
      return new Float32Array(copy);
    case "F64":
      return Float32Array.from(new Float64Array(copy));
    case "BF16":
      return widenBfloat16(new Uint16Array(copy));
    case "F16":
      return widenHalf(new Uint16Array(copy));
    default:
      throw new NodeError("SAFETENSORS_INVALID", `a tensor of ${dtype} values where floating point is needed`, {
        dtype,
      });
  }
}

/**
 * A file of float32 tensors in the given order; the values begin at a multiple of 8 bytes.
 * Throws: RangeError when values do not fill their shape or a name occurs twice.
 */
export function writeSafetensors(
  tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  for (const { name, shape, data } of tensors) {
    if (data.length === sizeOf(shape)) continue;
    throw new RangeError(`tensor ${name}: ${data.length} values do not fill shape [${shape.join(", ")}]`);
  }
  const header = safetensorsHeader(
    tensors.map(({ name, shape }) => ({ name, shape })),
    metadata,
  );
  const file = new Uint8Array(header.length + 4 * tensors.reduce((sum, { data }) => sum + data.length, 0));
  file.set(header);
  let offset = header.length;
  for (const { data } of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}

/**
 * What stands before the values of such a file: eight bytes of length and the header, a multiple of 8 bytes in all.
 * Throws: RangeError when a name occurs twice.
 */
export function safetensorsHeader(
  tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype?: SafetensorsDtype }[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const fields = new Map<string, unknown>();
  if (metadata !== undefined) fields.set("__metadata__", metadata);
  let offset = 0;
  for (const { name, shape, dtype = "F32" } of tensors) {
    if (fields.has(name) || name === "__metadata__") throw new RangeError(`tensor ${name} occurs twice`);
    const end = offset + BYTES[dtype] * sizeOf(shape);
    fields.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)));
  const bytes = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(json, 8);
  return bytes;
}

/** What stands under the name of a safetensors file sometimes, by its first bytes; as a length these are far too large. */
const OTHER_FILES: readonly (readonly [begin: RegExp, what: string])[] = [
  [/^version /, "a pointer of Git LFS and not the weights, which git lfs pull fetches"],
  [/^PK|^€/, "a pickle of PyTorch under the name of a safetensors file, of which save_pretrained makes one"],
  [/^GGUF/, "a GGUF file under the name of a safetensors file, which is given by itself, named .gguf"],
  [/^\s*[<{]|^Entry |^Not Foun|^Access |^Invalid /i, "the answer of a server that had not the file"],
];
/** Each byte as the character of its number. */
const BYTE_TEXT = new TextDecoder("windows-1252");

type Fail = (what: string, facts?: Readonly<Record<string, unknown>>) => NodeError;

function failure(file: string): Fail {
  return (what, facts = {}) =>
    new NodeError("SAFETENSORS_INVALID", `${file}: ${what}; download or export the file again`, { file, ...facts });
}

function headerLength(bytes: Uint8Array, fileBytes: number, fail: Fail): number {
  if (fileBytes < 8 || bytes.length < 8) {
    throw fail(`truncated: a safetensors file has at least 8 bytes, this one has ${Math.min(fileBytes, bytes.length)}`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(SAFETENSORS_HEADER_BYTES_MAX)) {
    const other = OTHER_FILES.find(([begin]) => begin.test(BYTE_TEXT.decode(bytes.subarray(0, 8))));
    if (other) throw fail(`this is ${other[1]}`);
    throw fail(
      `not a safetensors file: its header would have ${length} bytes, ${SAFETENSORS_HEADER_BYTES_MAX} at most`,
    );
  }
  const needed = 8 + Number(length);
  const present = Math.min(fileBytes, bytes.length);
  if (needed > present) throw fail(`truncated: the header ends at byte ${needed}, the file has ${present}`);
  return Number(length);
}

function decodeHeader(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw withCause(fail("the header is not UTF-8"), cause);
  }
}

function parseObject(text: string, fail: Fail): Map<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw withCause(fail("the header is not JSON"), cause);
  }
  if (!isRecord(value)) throw fail("the header is not a JSON object");
  return new Map(Object.entries(value));
}

function checkStructure(text: string, fail: Fail): void {
  const flaw = jsonFlaw(text, HEADER_DEPTH_MAX);
  if (flaw?.kind === "deep") throw fail(`the header nests deeper than ${HEADER_DEPTH_MAX} levels`);
  if (flaw !== undefined) throw fail(`the header names ${shown(flaw.name)} twice`);
}

function readMetadata(value: unknown, fail: Fail): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) throw fail("__metadata__ is not an object");
  const entries = Object.entries(value).map(([key, text]) => {
    if (typeof text !== "string") throw fail(`__metadata__ ${shown(key)} is not a string`);
    return [key, text] as const;
  });
  return Object.fromEntries(entries);
}

function readEntry(name: string, value: unknown, fail: Fail): SafetensorsEntry {
  const tensor = `tensor ${shown(name)}`;
  if (!isRecord(value)) throw fail(`${tensor} is not an object`);
  const { dtype, shape, data_offsets: offsets, ...rest } = value;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw fail(`${tensor} has the unknown field ${shown(unknown)}`);
  if (typeof dtype !== "string" || !Object.hasOwn(BYTES, dtype)) {
    throw fail(`${tensor} has the dtype ${shown(String(dtype))}; known are ${Object.keys(BYTES).join(", ")}`);
  }
  if (!isCounts(shape)) throw fail(`${tensor} has a shape that is not a list of whole numbers`);
  if (!isCounts(offsets) || offsets.length !== 2) throw fail(`${tensor} has no data_offsets [begin, end]`);
  const [begin, end] = offsets as [number, number];
  const bytes = Math.ceil(shape.reduce((product, n) => product * n, BYTES[dtype as SafetensorsDtype]));
  if (end < begin || !Number.isSafeInteger(bytes) || end - begin !== bytes) {
    throw fail(
      `${tensor} of ${dtype} [${shape.slice(0, 8).join(", ")}] needs ${bytes} bytes, its range ${end - begin}`,
    );
  }
  return { name, dtype: dtype as SafetensorsDtype, shape, begin, end };
}

/** entries: in the order of their bytes. */
function checkRanges(
  entries: readonly SafetensorsEntry[],
  options: { readonly dataOffset: number; readonly fileBytes: number; readonly fail: Fail },
): void {
  const { dataOffset, fileBytes, fail } = options;
  let covered = 0;
  for (const { name, begin, end } of entries) {
    if (begin < covered) throw fail(`tensor ${shown(name)} overlaps another one at byte ${begin}`);
    if (begin > covered) throw fail(`${begin - covered} bytes before tensor ${shown(name)} belong to no tensor`);
    covered = end;
  }
  const needed = dataOffset + covered;
  if (needed > fileBytes) throw fail(`truncated: header says ${needed} bytes, file has ${fileBytes}`);
  if (needed < fileBytes) throw fail(`header says ${needed} bytes, file has ${fileBytes}`);
}

/** bfloat16 is the upper half of a float32. */
function widenBfloat16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

function widenHalf(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  const known = new Float32Array(1 << 16);
  const isKnown = new Uint8Array(1 << 16);
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!;
    if (isKnown[b] === 0) {
      known[b] = halfToNumber(b);
      isKnown[b] = 1;
    }
    values[i] = known[b]!;
  }
  return values;
}

/** The value of an IEEE-754 binary16: 1 sign bit, 5 exponent bits of bias 15, 10 fraction bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

/** A name from the file, fit for one line of a terminal. */
const shown = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);

const withCause = (error: NodeError, cause: unknown): NodeError => Object.assign(error, { cause });
