/**
 * Files of weights that are made from a model's own, in another form: a graph can refer to them where they lie. Such a file
 * is made once and found again by its key. The key depends on the source files, on their headers and on the tensors
 * that the copy holds.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { NodeError } from "../errors.ts";
import { groupedValues } from "./packed/grouped-matrix.ts";
import { safetensorsHeader, toFloat32 } from "./safetensors.ts";
import type { StoredTensor, WeightFile } from "./weight-file.ts";
import { headerBytes, locateTensors, memoryFile } from "./weight-file.ts";

/** A file to be made: what it holds, before it is written. */
export interface WeightCopy {
  /** 64 hexadecimal digits; other sources, other tensors or another layout have another key. */
  readonly key: string;
  /** The beginning of the file; it holds the key. */
  readonly header: Uint8Array;
  readonly fileBytes: number;
  /** The whole file in order, in pieces of bounded size, the header first. */
  pieces(): Iterable<Uint8Array>;
}

/** The place where copies are kept. Implemented by `node/system/files/weight-cache`. */
export interface WeightCache {
  /** The file, made now if it is not there.  Throws: DISK_FULL, DATA_DIRECTORY. */
  open(copy: WeightCopy): WeightFile;
}

/** Raised when the file's layout changes, so that older files are not taken for it. */
const LAYOUT = 1;

/** Values converted at a time: 16 MiB of f32, small against any model that is worth converting. */
const PIECE_VALUES = 1 << 22;

const VALUE_BYTES: Readonly<Record<string, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2 };

/** All values of these tensors as f32.  Throws: MODEL_CONFIG for tensors that hold no floating point numbers. */
export function widenedCopy(tensors: readonly StoredTensor[]): WeightCopy {
  for (const { name, dtype, file, packed } of tensors) {
    if (packed || VALUE_BYTES[dtype] !== undefined) continue;
    const text = `${file.name}: tensor ${name} holds ${dtype} values; weft reads F32, F16 and BF16, not quantised weights`;
    throw new NodeError("MODEL_CONFIG", text);
  }
  const names = tensors.map(({ name, dtype, shape }) => [name, dtype, shape]);
  const key = copyKey([LAYOUT], [...new Set(tensors.map((tensor) => tensor.file))], names);
  const header = safetensorsHeader(
    tensors.map(({ name, shape }) => ({ name, shape })),
    { "weft.key": key },
  );
  return {
    key,
    header,
    fileBytes: header.length + 4 * tensors.reduce((sum, tensor) => sum + valueCount(tensor), 0),
    *pieces() {
      yield header;
      for (const tensor of tensors) yield* valuesOf(tensor);
    },
  };
}

/** The key of a file made from others.  layout: what it is and its version; names: the tensors in it. */
export function copyKey(layout: readonly unknown[], files: readonly WeightFile[], names: readonly unknown[]): string {
  const sources = files.map((file) => [file.stamp, file.fileBytes, bytesToHex(sha256(headerBytes(file)))]);
  return bytesToHex(sha256(new TextEncoder().encode(JSON.stringify([...layout, sources, names]))));
}

/** The tensors of a copy: in the cache, or in memory where there is none.  Throws: DISK_FULL, DATA_DIRECTORY. */
export function storedCopy(copy: WeightCopy, cache: WeightCache | undefined): ReadonlyMap<string, StoredTensor> {
  if (cache) return locateTensors([cache.open(copy)]);
  const bytes = new Uint8Array(copy.fileBytes);
  let at = 0;
  for (const piece of copy.pieces()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return locateTensors([memoryFile("widened.safetensors", bytes)]);
}

function* valuesOf(tensor: StoredTensor): Iterable<Uint8Array> {
  const { dtype, file, offset, packed } = tensor;
  if (packed) {
    const rowsAtOnce = Math.max(1, Math.floor(PIECE_VALUES / packed.columns));
    for (let from = 0; from < packed.rows; from += rowsAtOnce) {
      const rows = { from, to: Math.min(packed.rows, from + rowsAtOnce) };
      yield new Uint8Array(groupedValues(packed, rows).buffer);
    }
    return;
  }
  const size = VALUE_BYTES[dtype]!;
  const count = valueCount(tensor);
  for (let at = 0; at < count; at += PIECE_VALUES) {
    const bytes = file.read(offset + at * size, Math.min(PIECE_VALUES, count - at) * size);
    yield new Uint8Array(toFloat32({ dtype, bytes }).buffer);
  }
}

const valueCount = ({ begin, end, dtype, packed }: StoredTensor): number =>
  packed ? packed.rows * packed.columns : (end - begin) / VALUE_BYTES[dtype]!;
