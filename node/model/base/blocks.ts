/**
 * Matrices in blocks of small integers: W_nk ~ s_nb q_nk with one scale for each block b of 32 values along the inner
 * dimension k, and no offset. The last block of a row is filled up with zeros.
 * - 4 bits: s = -e / 8 with e the value of the block that is largest in size, q in [-8, 7]; two values stand in a byte, the
 *   first in its lower half. So the largest value is met exactly, and the range is used on the side where it matters.
 * - 8 bits: s = max |w| / 127, q in [-127, 127].
 * A block of zeros has the scale 1.
 * Source: Q4_0 and Q8_0 of ggml, src/ggml-quants.c; scales are of 32 bits here.
 */

/** Values of a block: as QLoRA's first blocks of 64, halved; what onnxruntime and ggml have kernels for. */
export const BLOCK = 32;

/** Bits of a value. */
export type BlockBits = 4 | 8;

/** A matrix in blocks. */
export interface Blocks {
  /** f32[rows, blocks] */
  readonly scales: Float32Array;
  /** [rows, blocks, 32] of 4 or 8 bits, signed. */
  readonly integers: Uint8Array;
}

/** Blocks of a row. */
export const blocksOf = (columns: number): number => Math.ceil(columns / BLOCK);

/** Bytes of the integers of a matrix. */
export const integerBytes = (rows: number, columns: number, bits: BlockBits): number =>
  (rows * blocksOf(columns) * BLOCK * bits) / 8;

/** values f32[rows, columns] in blocks.  The same values give the same bytes on every machine. */
export function inBlocks(values: Float32Array, columns: number, bits: BlockBits): Blocks {
  const rows = values.length / columns;
  const perRow = blocksOf(columns);
  const scales = new Float32Array(rows * perRow);
  const integers = new Uint8Array(integerBytes(rows, columns, bits));
  for (let row = 0; row < rows; row++) {
    for (let b = 0; b < perRow; b++) {
      const from = row * columns + b * BLOCK;
      const to = Math.min(from + BLOCK, (row + 1) * columns);
      const at = row * perRow + b;
      if (bits === 4) scales[at] = intoNibbles(values, from, to, integers, (at * BLOCK) / 2);
      else scales[at] = intoBytes(values, from, to, integers, at * BLOCK);
    }
  }
  return { scales, integers };
}

/** The values f32[rows, columns] that blocks stand for. */
export function outOfBlocks({ scales, integers }: Blocks, columns: number, bits: BlockBits): Float32Array {
  const perRow = blocksOf(columns);
  const rows = scales.length / perRow;
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const at = row * perRow * BLOCK + column;
    const q = bits === 8 ? (integers[at]! << 24) >> 24 : (integers[at >> 1]! << (at % 2 === 0 ? 28 : 24)) >> 28;
    values[i] = scales[Math.floor(at / BLOCK)]! * q;
  }
  return values;
}

/** Fills the 16 bytes of one block from `at` on; returns its scale. */
function intoNibbles(values: Float32Array, from: number, to: number, out: Uint8Array, at: number): number {
  let [largest, extreme] = [0, 0];
  for (let i = from; i < to; i++) {
    const size = Math.abs(values[i]!);
    if (size > largest) [largest, extreme] = [size, values[i]!];
  }
  const scale = Math.fround(extreme / -8);
  if (scale === 0) return 1;
  for (let i = from; i < to; i++) {
    const q = Math.min(7, Math.round(values[i]! / scale)) & 15;
    const place = at + ((i - from) >> 1);
    out[place]! |= (i - from) % 2 === 0 ? q : q << 4;
  }
  return scale;
}

/** Fills the 32 bytes of one block from `at` on; returns its scale. */
function intoBytes(values: Float32Array, from: number, to: number, out: Uint8Array, at: number): number {
  let largest = 0;
  for (let i = from; i < to; i++) {
    const size = Math.abs(values[i]!);
    if (size > largest) largest = size;
  }
  const scale = Math.fround(largest / 127);
  if (scale === 0) return 1;
  for (let i = from; i < to; i++) out[at + i - from] = Math.round(values[i]! / scale) & 255;
  return scale;
}
