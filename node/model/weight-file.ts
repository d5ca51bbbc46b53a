/** Files of weights, read in pieces because they may be larger than memory, and the tensors that stand in them. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { NodeError } from "../errors.ts";
import type { ExternalData } from "../interface/runtime.ts";
import { type GroupedMatrix, groupedValues } from "./packed/grouped-matrix.ts";
import type { SafetensorsEntry, SafetensorsHeader } from "./safetensors.ts";
import { parseSafetensorsHeader, SAFETENSORS_HEADER_BYTES_MAX, toFloat32 } from "./safetensors.ts";

/** A safetensors file that a graph may refer to. */
export interface WeightFile extends ExternalData {
  /** For error lines. */
  readonly name: string;
  readonly fileBytes: number;
  /** Changes when the file does. */
  readonly stamp: string;
  /** Bytes [offset, offset + length), which lie in the file. */
  read(offset: number, length: number): Uint8Array;
}

/** A tensor and the file in which it stands. */
export interface StoredTensor extends SafetensorsEntry {
  readonly file: WeightFile;
  /** Position of the first value, from the beginning of the file. */
  readonly offset: number;
  /** Of values that are packed: what they stand for. The type is that of the words in the file then. */
  readonly packed?: GroupedMatrix;
}

/** Tensors by name. */
export type Located = ReadonlyMap<string, StoredTensor>;

/** A file that is in memory already. */
export function memoryFile(path: string, data: Uint8Array): WeightFile {
  const read = (offset: number, length: number): Uint8Array => data.subarray(offset, offset + length);
  return {
    path,
    name: path,
    data,
    fileBytes: data.length,
    get stamp() {
      return bytesToHex(sha256(data));
    },
    read,
  };
}

/** The bytes before the values: eight of length, then the header.  Throws: SAFETENSORS_INVALID. */
export function headerBytes(file: WeightFile): Uint8Array {
  const start = file.read(0, Math.min(8, file.fileBytes));
  if (start.length < 8) return start;
  const length = Number(new DataView(start.buffer, start.byteOffset).getBigUint64(0, true));
  return file.read(0, Math.min(file.fileBytes, 8 + Math.min(length, SAFETENSORS_HEADER_BYTES_MAX)));
}

/** Throws: SAFETENSORS_INVALID. */
export function readHeader(file: WeightFile): SafetensorsHeader {
  return parseSafetensorsHeader(headerBytes(file), { name: file.name, fileBytes: file.fileBytes });
}

/** All tensors by name.  Throws: SAFETENSORS_INVALID, MODEL_CONFIG when two files hold one of the same name. */
export function locateTensors(files: readonly WeightFile[]): ReadonlyMap<string, StoredTensor> {
  const located = new Map<string, StoredTensor>();
  for (const file of files) {
    const header = readHeader(file);
    for (const entry of header.entries) {
      const other = located.get(entry.name);
      if (other) {
        const text = `tensor ${entry.name} is in ${other.file.name} and in ${file.name}; leave one model's files there`;
        throw new NodeError("MODEL_CONFIG", text);
      }
      located.set(entry.name, { ...entry, file, offset: header.dataOffset + entry.begin });
    }
  }
  return located;
}

/** A tensor's values as f32, a copy; of some of its rows only, where they are named.  Throws: SAFETENSORS_INVALID for integers. */
export function tensorValues(
  { dtype, file, offset, begin, end, shape, packed }: StoredTensor,
  rows?: { readonly from: number; readonly to: number },
): Float32Array {
  if (packed) return groupedValues(packed, rows ?? { from: 0, to: packed.rows });
  const rowBytes = rows ? (end - begin) / shape[0]! : 0;
  const [first, last] = rows ? [rows.from * rowBytes, rows.to * rowBytes] : [0, end - begin];
  return toFloat32({ dtype, bytes: file.read(offset + first, last - first) });
}
