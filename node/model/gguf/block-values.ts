/**
 * Blocks of ggml whose values are more than a scale times an integer that blocks of weft could hold: as f32, bit for bit as the gguf
 * package of llama.cpp has them. Of a block: d and m are its scales of 16 bits, q its integers.
 * - Q4_1, Q5_1: d q + m for 32 values. Q5_0: d (q - 16).
 * - Q4_K, Q5_K: 8 groups of 32 values with a scale and an offset of 6 bits each, s and o: (d s) q - (m o).
 * - Q2_K: 16 groups of 16 values with a scale and an offset of 4 bits each. Q3_K: 16 groups with a scale of 6 bits, less 32.
 * Source: llama.cpp, gguf-py/gguf/quants.py (dequantize_blocks); ggml, src/ggml-common.h.
 */
import { halfToNumber } from "../safetensors.ts";

/** A type of blocks. */
export interface ValueBlock {
  /** Of a block. */
  readonly values: number;
  readonly bytes: number;
  /** The values of one block. */
  readonly unpack: (block: Uint8Array, out: Float32Array) => void;
}

/** Types by their numbers in ggml. */
export const VALUE_BLOCKS: ReadonlyMap<number, ValueBlock> = new Map([
  [3, { values: 32, bytes: 20, unpack: (block, out) => offsetBlock(block, 4, undefined, out) }],
  [6, { values: 32, bytes: 22, unpack: unpackQ50 }],
  [7, { values: 32, bytes: 24, unpack: (block, out) => offsetBlock(block, 8, 4, out) }],
  [10, { values: 256, bytes: 84, unpack: unpackQ2K }],
  [11, { values: 256, bytes: 110, unpack: unpackQ3K }],
  [12, { values: 256, bytes: 144, unpack: (block, out) => offsetGroups(block, 16, undefined, out) }],
  [13, { values: 256, bytes: 176, unpack: (block, out) => offsetGroups(block, 48, 16, out) }],
] satisfies readonly (readonly [number, ValueBlock])[]);

const half = (block: Uint8Array, at: number): number => halfToNumber(block[at]! | (block[at + 1]! << 8));
const { fround } = Math;

/** Integer j of 32: a half of byte j or j - 16 at `low`, and bit j at `high`, where there is one. */
function integerOf(block: Uint8Array, j: number, low: number, high: number | undefined): number {
  const byte = block[low + (j % 16)]!;
  const fifth = high === undefined ? 0 : (block[high + (j >> 3)]! >> (j & 7)) & 1;
  return (j < 16 ? byte & 15 : byte >> 4) | (fifth << 4);
}

/** d q + m: low is where the integers begin, high where their fifth bits do. */
function offsetBlock(block: Uint8Array, low: number, high: number | undefined, out: Float32Array): void {
  const [d, m] = [half(block, 0), half(block, 2)];
  for (let j = 0; j < 32; j++) out[j] = fround(d * integerOf(block, j, low, high)) + m;
}

function unpackQ50(block: Uint8Array, out: Float32Array): void {
  const d = half(block, 0);
  for (let j = 0; j < 32; j++) out[j] = d * (integerOf(block, j, 6, 2) - 16);
}

/** Scale and offset of group g of 8, which stand in 12 bytes from byte 4. */
function sixBits(block: Uint8Array, g: number): readonly [scale: number, offset: number] {
  if (g < 4) return [block[4 + g]! & 63, block[8 + g]! & 63];
  const both = block[8 + g]!;
  return [(both & 15) | ((block[g]! >> 2) & 48), (both >> 4) | ((block[4 + g]! >> 2) & 48)];
}

/** (d s) q - (m o): low is where the integers begin, high where their fifth bits do. */
function offsetGroups(block: Uint8Array, low: number, high: number | undefined, out: Float32Array): void {
  const [d, m] = [half(block, 0), half(block, 2)];
  for (let g = 0; g < 8; g++) {
    const [scale, offset] = sixBits(block, g);
    const [ds, mo] = [fround(d * scale), fround(m * offset)];
    for (let j = 0; j < 32; j++) {
      const byte = block[low + 32 * (g >> 1) + j]!;
      const fifth = high === undefined ? 0 : (block[high + j]! >> g) & 1;
      const q = ((g & 1) === 0 ? byte & 15 : byte >> 4) | (fifth << 4);
      out[32 * g + j] = fround(ds * q) - mo;
    }
  }
}

function unpackQ2K(block: Uint8Array, out: Float32Array): void {
  const [d, m] = [half(block, 80), half(block, 82)];
  for (let g = 0; g < 16; g++) {
    const both = block[g]!;
    const [ds, mo] = [fround(d * (both & 15)), fround(m * (both >> 4))];
    for (let j = 0; j < 16; j++) out[16 * g + j] = fround(ds * twoBits(block, 16, 16 * g + j)) - mo;
  }
}

/** Integer i of 256: two bits of a byte; 32 bytes hold 128 integers. */
const twoBits = (block: Uint8Array, at: number, i: number): number =>
  (block[at + 32 * (i >> 7) + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3;

function unpackQ3K(block: Uint8Array, out: Float32Array): void {
  const d = half(block, 108);
  for (let g = 0; g < 16; g++) {
    const low = block[96 + (g & 7)]!;
    const high = (block[104 + (g & 3)]! >> (2 * (g >> 2))) & 3;
    const ds = fround(d * (((g < 8 ? low & 15 : low >> 4) | (high << 4)) - 32));
    for (let j = 0; j < 16; j++) {
      const i = 16 * g + j;
      const third = (block[i & 31]! >> (i >> 5)) & 1;
      out[i] = ds * (twoBits(block, 32, i) - (third === 1 ? 0 : 4));
    }
  }
}
