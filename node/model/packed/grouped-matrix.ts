/**
 * A matrix whose file holds small integers and a scale for each group of them along the inner dimension:
 * W_nk = s_n,g(k) q_nk. GPTQ, AWQ and GGUF differ in how they pack the two; what they stand for is this.
 */
import { BLOCK, type BlockBits, type Blocks, blocksOf, integerBytes } from "../base/blocks.ts";

/** Rows of a matrix: [from, to). */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** One matrix of a file of packed weights. */
export interface GroupedMatrix {
  /** Outputs and inputs. */
  readonly rows: number;
  readonly columns: number;
  /** Values of a row that share a scale, where the groups stand one after the other. */
  readonly groupSize: number;
  /** Of each column, where its group is not that of its place. */
  readonly groups?: ArrayLike<number>;
  /** Smallest and largest integer that the packing can stand for. */
  readonly range: readonly [number, number];
  /** q of some rows, [to - from, columns]. */
  integers(rows: RowRange): Int16Array | Int8Array;
  /** s of some rows, f32[to - from, groups].  Throws: MODEL_CONFIG for one that is no finite number. */
  scales(rows: RowRange): Float32Array;
}

const groupsOf = ({ columns, groupSize }: GroupedMatrix): number => Math.ceil(columns / groupSize);

/** Values of some rows, f32[to - from, columns]: the products in f32, each rounded once. */
export function groupedValues(matrix: GroupedMatrix, rows: RowRange): Float32Array {
  const { columns, groupSize, groups } = matrix;
  const [integers, scales] = [matrix.integers(rows), matrix.scales(rows)];
  const perRow = groupsOf(matrix);
  const values = new Float32Array(integers.length);
  for (let row = 0; row < rows.to - rows.from; row++) {
    for (let column = 0; column < columns; column++) {
      const group = groups ? groups[column]! : Math.floor(column / groupSize);
      values[row * columns + column] = scales[row * perRow + group]! * integers[row * columns + column]!;
    }
  }
  return values;
}

/** Integers that a block of so many bits can hold. */
const HELD: Readonly<Record<BlockBits, readonly [number, number]>> = { 4: [-8, 7], 8: [-128, 127] };

/** The same matrix in blocks of 32, bit for bit; undefined where such blocks cannot stand for it. */
export function groupedBlocks(matrix: GroupedMatrix, bits: BlockBits, rows: RowRange): Blocks | undefined {
  const { columns, groupSize, groups, range } = matrix;
  if (groups || groupSize % BLOCK !== 0 || range[0] < HELD[bits][0] || range[1] > HELD[bits][1]) return undefined;
  const [integers, perGroup] = [matrix.integers(rows), matrix.scales(rows)];
  const [perRow, count] = [blocksOf(columns), rows.to - rows.from];
  const scales = new Float32Array(count * perRow);
  const packed = new Uint8Array(integerBytes(count, columns, bits));
  for (let row = 0; row < count; row++) {
    for (let block = 0; block < perRow; block++) {
      scales[row * perRow + block] = perGroup[row * groupsOf(matrix) + Math.floor((block * BLOCK) / groupSize)]!;
    }
    for (let column = 0; column < columns; column++) {
      const [q, at] = [integers[row * columns + column]!, row * perRow * BLOCK + column];
      if (bits === 8) packed[at] = q & 255;
      else packed[at >> 1]! |= at % 2 === 0 ? q & 15 : (q & 15) << 4;
    }
  }
  return { scales, integers: packed };
}
