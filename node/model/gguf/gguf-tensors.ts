/**
 * The tensors of a GGUF file under the names of Hugging Face, with what each stands for. F32, F16 and BF16 stand as elsewhere.
 * Blocks are of ggml:
 * - Q4_0: a scale of 16 bits, then 16 bytes; byte j has value j in its lower half and value j + 16 in its upper one, each less 8.
 * - Q8_0: a scale of 16 bits, then 32 signed bytes.
 * - Q6_K: 256 values; lower 4 bits in 128 bytes, upper 2 in 64, a signed byte of scale for each 16, a scale of 16 bits for all.
 * Others are read as the values that they stand for (block-values.ts).
 * Files of Llama have the rows of queries and keys in another order: the two halves of a head, which rotary positions pair,
 * stand interleaved. Files of Gemma hold norms with the 1 that is added to them.
 * Source: ggml, src/ggml-quants.c; llama.cpp, convert_hf_to_gguf.py, `permute` and `norm_shift`.
 */
import { NodeError } from "../../errors.ts";
import type { BlockBits, Blocks } from "../base/blocks.ts";
import { type GroupedMatrix, type PackedTensor, packedTensor, type RowRange } from "../packed/grouped-matrix.ts";
import { halfToNumber } from "../safetensors.ts";
import { type Located, type StoredTensor, tensorValues, type WeightFile } from "../weight-file.ts";
import { VALUE_BLOCKS, type ValueBlock } from "./block-values.ts";
import type { GgufHeader, GgufTensor } from "./gguf-header.ts";

/** Types of ggml that are read, by number: the type of safetensors, or a block's values and bytes. */
const PLAIN: ReadonlyMap<number, { readonly dtype: "F32" | "F16" | "BF16"; readonly bytes: number }> = new Map([
  [0, { dtype: "F32", bytes: 4 }],
  [1, { dtype: "F16", bytes: 2 }],
  [30, { dtype: "BF16", bytes: 2 }],
]);
const PACKED: ReadonlyMap<number, PackedType> = new Map([
  [2, { values: 32, bytes: 18, groupSize: 32, range: [-8, 7], unpack: unpackQ4 }],
  [8, { values: 32, bytes: 34, groupSize: 32, range: [-128, 127], unpack: unpackQ8 }],
  [14, { values: 256, bytes: 210, groupSize: 16, range: [-32, 31], unpack: unpackQ6 }],
]);
/** Names of the other ones, for refusals. */
const OTHERS: Readonly<Record<number, string>> = {
  ...{ 9: "Q8_1", 15: "Q8_K" },
  ...{ 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS" },
  ...{ 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4" },
};

interface PackedType {
  /** Of a block. */
  readonly values: number;
  readonly bytes: number;
  readonly groupSize: number;
  readonly range: readonly [number, number];
  /** The integers of one block, and its scales. */
  readonly unpack: (block: Uint8Array, integers: Int8Array, scales: Float32Array) => void;
}

/** What a tensor of an architecture is called elsewhere, and how it stands in the file. */
export interface TensorRole {
  readonly name: string;
  /** Heads whose halves stand interleaved. */
  readonly interleavedHeads?: number;
  /** Whether 1 has been added to its values. */
  readonly plusOne?: boolean;
}

/**
 * roleOf: by the file's name; undefined for a tensor that nothing reads.
 * Throws: MODEL_CONFIG for a tensor beyond the file or of a type that weft does not read, by its name.
 */
export function ggufTensors(
  file: WeightFile,
  { tensors, dataOffset }: GgufHeader,
  roleOf: (name: string) => TensorRole | undefined,
): Located {
  const located = new Map<string, StoredTensor>();
  for (const tensor of tensors) {
    const stored = storedTensor(file, tensor, dataOffset);
    const role = roleOf(tensor.name);
    if (!role) continue;
    located.set(role.name, inRole(checked(stored, tensor), role));
  }
  return located;
}

/** A tensor with its place in the file; `undefined` types are refused only where somebody reads the tensor. */
function storedTensor(
  file: WeightFile,
  { name, shape, type, offset }: GgufTensor,
  dataOffset: number,
): StoredTensor | undefined {
  const [plain, packed, valued] = [PLAIN.get(type), PACKED.get(type), VALUE_BLOCKS.get(type)];
  const blocks = packed ?? valued;
  const size = shape.reduce((product, n) => product * n, 1);
  const bytes = plain ? size * plain.bytes : blocks ? (size / blocks.values) * blocks.bytes : 0;
  const refuse = (why: string): NodeError =>
    new NodeError("MODEL_CONFIG", `${file.name}: tensor ${name.slice(0, 80)} ${why}`);
  if (blocks && (shape.at(-1) ?? 0) % blocks.values !== 0)
    throw refuse(`has rows that are no whole blocks: [${shape}]`);
  if (!(dataOffset + offset + bytes <= file.fileBytes))
    throw refuse("lies beyond the end of the file; download it again");
  if (!plain && !blocks) return undefined;
  const place = { name, shape, file, offset: dataOffset + offset, begin: 0, end: bytes };
  if (plain) return { ...place, dtype: plain.dtype };
  const found: StoredTensor = { ...place, dtype: "U8" };
  return { ...found, packed: packed ? packedTensor(blockMatrix(found, packed)) : valuedTensor(found, valued!) };
}

/** Rows of blocks that are read as values. */
function valuedTensor({ shape, file, offset, name }: StoredTensor, type: ValueBlock): PackedTensor {
  const columns = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((product, n) => product * n, 1);
  const perRow = columns / type.values;
  const values = ({ from, to }: RowRange): Float32Array => {
    const bytes = file.read(offset + from * perRow * type.bytes, (to - from) * perRow * type.bytes);
    const out = new Float32Array((to - from) * columns);
    for (let block = 0; block < (to - from) * perRow; block++) {
      const place = block * type.values;
      type.unpack(
        bytes.subarray(block * type.bytes, (block + 1) * type.bytes),
        out.subarray(place, place + type.values),
      );
    }
    if (out.every(Number.isFinite)) return out;
    throw new NodeError("MODEL_CONFIG", `${file.name}: tensor ${name} has a scale that is not a finite number`);
  };
  return { rows, columns, values, blocks: () => undefined };
}

function checked(stored: StoredTensor | undefined, { name, type }: GgufTensor): StoredTensor {
  if (stored) return stored;
  const text = `tensor ${name.slice(0, 80)} is of type ${OTHERS[type] ?? type}; weft reads Q2_K to Q6_K, Q4_0 to Q8_0, F16, BF16 and F32: take the file with one of these in its name`;
  throw new NodeError("MODEL_CONFIG", text);
}

function blockMatrix(tensor: StoredTensor, type: PackedType): GroupedMatrix {
  const { shape, file, offset, name } = tensor;
  const columns = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((product, n) => product * n, 1);
  const perRow = columns / type.values;
  const [rowBytes, groups] = [perRow * type.bytes, columns / type.groupSize];
  const unpacked = ({ from, to }: RowRange) => {
    const bytes = file.read(offset + from * rowBytes, (to - from) * rowBytes);
    const integers = new Int8Array((to - from) * columns);
    const scales = new Float32Array((to - from) * groups);
    const perBlock = type.values / type.groupSize;
    for (let block = 0; block < (to - from) * perRow; block++) {
      const place = block * type.values;
      type.unpack(
        bytes.subarray(block * type.bytes, (block + 1) * type.bytes),
        integers.subarray(place, place + type.values),
        scales.subarray(block * perBlock, (block + 1) * perBlock),
      );
    }
    if (scales.every(Number.isFinite)) return { integers, scales };
    throw new NodeError("MODEL_CONFIG", `${file.name}: tensor ${name} has a scale that is not a finite number`);
  };
  return {
    ...{ rows, columns, groupSize: type.groupSize, range: type.range },
    integers: (range) => unpacked(range).integers,
    scales: (range) => unpacked(range).scales,
  };
}

const float16 = (block: Uint8Array, at: number): number => halfToNumber(block[at]! | (block[at + 1]! << 8));

function unpackQ4(block: Uint8Array, integers: Int8Array, scales: Float32Array): void {
  scales[0] = float16(block, 0);
  for (let j = 0; j < 16; j++) {
    integers[j] = (block[2 + j]! & 15) - 8;
    integers[j + 16] = (block[2 + j]! >> 4) - 8;
  }
}

function unpackQ8(block: Uint8Array, integers: Int8Array, scales: Float32Array): void {
  scales[0] = float16(block, 0);
  for (let j = 0; j < 32; j++) integers[j] = block[2 + j]!;
}

function unpackQ6(block: Uint8Array, integers: Int8Array, scales: Float32Array): void {
  const whole = float16(block, 208);
  for (let group = 0; group < 16; group++) scales[group] = whole * ((block[192 + group]! << 24) >> 24);
  for (let half = 0; half < 2; half++) {
    const [low, high, out] = [64 * half, 128 + 32 * half, 128 * half];
    for (let j = 0; j < 32; j++) {
      const [a, b, h] = [block[low + j]!, block[low + j + 32]!, block[high + j]!];
      integers[out + j] = ((a & 15) | ((h & 3) << 4)) - 32;
      integers[out + j + 32] = ((b & 15) | (((h >> 2) & 3) << 4)) - 32;
      integers[out + j + 64] = ((a >> 4) | (((h >> 4) & 3) << 4)) - 32;
      integers[out + j + 96] = ((b >> 4) | (((h >> 6) & 3) << 4)) - 32;
    }
  }
}

/** A tensor as the family knows it. */
function inRole(stored: StoredTensor, { name, interleavedHeads: heads, plusOne }: TensorRole): StoredTensor {
  const { shape } = stored;
  const [rows, columns] = [shape[0]!, shape.slice(1).reduce((product, n) => product * n, 1)];
  if (plusOne && rows === shape.at(-1)) {
    const values = ({ from, to }: RowRange) =>
      tensorValues(stored)
        .subarray(from, to)
        .map((value) => value - 1);
    return { ...stored, name, packed: { rows, columns, values, blocks: () => undefined } };
  }
  if (heads === undefined || rows % (2 * heads) !== 0) return { ...stored, name };
  return { ...stored, name, packed: deinterleaved(stored, { rows, columns, half: rows / heads / 2 }) };
}

/** Row h half t + i of a head's two halves t stands at 2 i + t of the head. */
function deinterleaved(
  stored: StoredTensor,
  { rows, columns, half }: { readonly rows: number; readonly columns: number; readonly half: number },
): PackedTensor {
  const placeOf = (row: number): number => {
    const [head, within] = [Math.floor(row / (2 * half)), row % (2 * half)];
    return head * 2 * half + 2 * (within % half) + Math.floor(within / half);
  };
  const rowOf = (row: number): RowRange => ({ from: placeOf(row), to: placeOf(row) + 1 });
  const each = <T>({ from, to }: RowRange, read: (range: RowRange) => T): readonly T[] =>
    Array.from({ length: to - from }, (_, i) => read(rowOf(from + i)));
  return {
    ...{ rows, columns },
    values: (range) =>
      joined(
        each(range, (row) => tensorValues(stored, row)),
        Float32Array,
      ),
    blocks: (bits: BlockBits, range) => {
      const parts = each(range, (row) => stored.packed?.blocks(bits, row));
      if (parts.some((part) => part === undefined)) return undefined;
      const all = parts as readonly Blocks[];
      return {
        scales: joined(
          all.map(({ scales }) => scales),
          Float32Array,
        ),
        integers: joined(
          all.map(({ integers }) => integers),
          Uint8Array,
        ),
      };
    },
  };
}

function joined<T extends Float32Array | Uint8Array>(parts: readonly T[], make: new (length: number) => T): T {
  const whole = new make(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
