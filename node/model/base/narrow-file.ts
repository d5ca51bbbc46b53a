/**
 * The file of a base in a narrow form. The matrices of linear layers stand in it in blocks, as [outputs, inputs]; with
 * `f16` they stand as they are stored. Every other matrix (embeddings, the output matrix) has 16 bits, or stands in blocks of
 * 8 bits where the form asks for it, and vectors stay f32.
 */
import { encodeFloat16 } from "../../../protocol/encoding/float16.ts";
import type { NarrowForm } from "../../../protocol/settings/base-forms.ts";
import { sizeOf } from "../../tensor.ts";
import type { BaseModel, WeightShape } from "../base-model.ts";
import { weightsByUse } from "../copied-weights.ts";
import type { ModelFiles } from "../huggingface.ts";
import type { RowRange } from "../packed/grouped-matrix.ts";
import { type SafetensorsDtype, safetensorsHeader } from "../safetensors.ts";
import { copyKey, type WeightCopy } from "../weight-copy.ts";
import { BLOCK, type BlockBits, blocksOf, inBlocks } from "./blocks.ts";

/** Bits of the values of linear layers, and of embeddings; 16 are floating point numbers. */
const BITS: Readonly<Record<NarrowForm, { readonly linears: BlockBits | 16; readonly embeddings: 8 | 16 }>> = {
  f16: { linears: 16, embeddings: 16 },
  q8: { linears: 8, embeddings: 16 },
  "q8-e8": { linears: 8, embeddings: 8 },
  q4: { linears: 4, embeddings: 16 },
  "q4-e8": { linears: 4, embeddings: 8 },
};

/** How one weight stands in the file. */
export type NarrowWeight = PlainWeight | BlockedWeight;

/** A weight of which every value stands by itself, in the shape that the model gives it. */
export interface PlainWeight extends WeightShape {
  readonly as: "f32" | "f16";
}

/** A matrix in blocks. */
export interface BlockedWeight extends WeightShape {
  readonly as: "blocks";
  readonly bits: BlockBits;
  /** [outputs, inputs], and whether the model's own files have it the other way round. */
  readonly matrix: readonly [number, number];
  readonly turned: boolean;
  /** Whether rows are read by themselves: embeddings. */
  readonly isTable: boolean;
}

/** The name of the scales that belong to a matrix in blocks. */
export const scalesName = (name: string): string => `${name}.scales`;

/** How each weight of a model stands in the file. */
export function narrowWeights(model: BaseModel, form: NarrowForm): readonly NarrowWeight[] {
  const { linears, others } = weightsByUse(model);
  const bits = BITS[form];
  const turned = new Set(model.shape.linears.filter((site) => site.stored).map(({ path }) => `${path}.weight`));
  const matrices = linears.map((weight): NarrowWeight => {
    if (bits.linears === 16) return { ...weight, as: "f16" };
    const [a, b] = weight.shape as readonly [number, number];
    const isTurned = turned.has(weight.name);
    const matrix = isTurned ? ([b, a] as const) : ([a, b] as const);
    return { ...weight, as: "blocks", bits: bits.linears, matrix, turned: isTurned, isTable: false };
  });
  const rest = others.map((weight): NarrowWeight => {
    const [rows, columns] = weight.shape;
    if (columns === undefined) return { ...weight, as: "f32" };
    if (bits.embeddings === 16 || weight.shape.length > 2) return { ...weight, as: "f16" };
    return { ...weight, as: "blocks", bits: 8, matrix: [rows!, columns], turned: false, isTable: true };
  });
  const standing = (as: NarrowWeight["as"]): readonly NarrowWeight[] => rest.filter((weight) => weight.as === as);
  // Values of 16 bits last, so that every other one is aligned.
  return [...standing("f32"), ...matrices, ...standing("blocks"), ...standing("f16")];
}

/** Raised when the file's layout changes, so that older files are not taken for it. */
const LAYOUT = 1;

/** The file to be made, weight by weight: at most one matrix, its f32 values in part, is in memory at a time. */
export function narrowCopy(model: BaseModel, files: ModelFiles, form: NarrowForm): WeightCopy {
  const weights = narrowWeights(model, form);
  const entries = weights.flatMap(entriesOf);
  const key = copyKey(
    ["base", form, LAYOUT],
    files.shards,
    weights.map(({ name, shape }) => [name, shape]),
  );
  const header = safetensorsHeader(entries, { "weft.key": key });
  return {
    key,
    header,
    fileBytes: header.length + entries.reduce((sum, entry) => sum + entryBytes(entry), 0),
    *pieces() {
      yield header;
      for (const weight of weights) yield* piecesOf(model, weight);
    },
  };
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: SafetensorsDtype;
}

function entriesOf(weight: NarrowWeight): readonly Entry[] {
  const { name, shape } = weight;
  if (weight.as !== "blocks") return [{ name, shape, dtype: weight.as === "f32" ? "F32" : "F16" }];
  const [rows, columns] = weight.matrix;
  const perRow = blocksOf(columns);
  return [
    { name: scalesName(name), shape: [rows, perRow], dtype: "F32" },
    // safetensors has no signed integers of 4 bits: two of them are a byte.
    weight.bits === 4
      ? { name, shape: [rows, (perRow * BLOCK) / 2], dtype: "U8" }
      : { name, shape: [rows, perRow * BLOCK], dtype: "I8" },
  ];
}

const entryBytes = ({ shape, dtype }: Entry): number => (dtype === "F32" ? 4 : dtype === "F16" ? 2 : 1) * sizeOf(shape);

/** Values that are converted at a time: 64 MiB of f32. */
const PIECE_VALUES = 1 << 24;

function* piecesOf(model: BaseModel, weight: NarrowWeight): Iterable<Uint8Array> {
  if (weight.as === "blocks") yield* blockPieces(model, weight);
  else if (weight.as === "f32") yield bytesOf(model.values(weight));
  else for (const rows of partsOf(weight)) yield encodeFloat16(model.values(weight, rows));
}

/** The scales of a matrix, and behind them its integers, which are in memory meanwhile. */
function* blockPieces(model: BaseModel, weight: BlockedWeight): Iterable<Uint8Array> {
  const { bits, matrix, turned } = weight;
  const columns = matrix[1];
  const integers: Uint8Array[] = [];
  for (const rows of turned ? [undefined] : partsOf(weight)) {
    const blocks = rows
      ? (model.blocks(weight, bits, rows) ?? inBlocks(model.values(weight, rows), columns, bits))
      : inBlocks(transposed(model.values(weight), weight.shape), columns, bits);
    yield bytesOf(blocks.scales);
    integers.push(blocks.integers);
  }
  yield* integers;
}

/** The rows of a weight, in parts. */
function* partsOf(weight: WeightShape): Iterable<RowRange> {
  const rows = weight.shape[0]!;
  const rowsAtOnce = Math.max(1, Math.floor((PIECE_VALUES * rows) / sizeOf(weight.shape)));
  for (let from = 0; from < rows; from += rowsAtOnce) {
    yield { from, to: Math.min(rows, from + rowsAtOnce) };
  }
}

function transposed(values: Float32Array, [rows, columns]: readonly number[]): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows!; row++) {
    for (let column = 0; column < columns!; column++) turned[column * rows! + row] = values[row * columns! + column]!;
  }
  return turned;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
