/**
 * Packing: several short examples stand one after another in one row of a batch, each with positions of its own from 0
 * on and seeing only itself, so that fewer tokens are padding. A step computes the same values as without packing.
 * Source: Krell et al. 2021, arXiv:2107.02027.
 */
import type { Example } from "../interface/trainer.ts";
import { float32, type Tensor } from "../tensor.ts";
import { type Batch, createBatches, labelCountOf, learntRanges, planShape, type Span } from "./batch.ts";

/** The fixed shape of packed batches. */
export interface PackedShape {
  /** R */
  readonly rows: number;
  /** T, the longest example, rounded up. */
  readonly tokens: number;
  /** M, rows of labels. */
  readonly labels: number;
  /** Examples that a batch may hold. */
  readonly examples: number;
}

/** Packed batches of one data set, drawn by step. */
export interface PackedBatches {
  readonly shape: PackedShape;
  /** The examples of draw `draw` of `createBatches` as packed batches, seldom more than one. */
  batchesAt(draw: number): readonly Batch[];
}

/** Draws that the shape is planned from: enough to know the mean, and bounded for large data. */
const PLANNED_DRAWS = 64;

/** Throws: NodeError DATA_TOO_SMALL (no examples), CONFIG_INVALID (batch size). */
export function createPackedBatches(
  examples: readonly Example[],
  { batchSize, seed, padId = 0 }: { readonly batchSize: number; readonly seed: number; readonly padId?: number },
): PackedBatches {
  const plain = planShape(examples, { batchSize });
  const draws = createBatches(examples, { shape: plain, seed });
  const planned = Array.from({ length: Math.min(PLANNED_DRAWS, draws.stepsPerEpoch) }, (_, draw) =>
    fillRows(draws.examplesAt(draw), { tokens: plain.tokens, labels: Number.POSITIVE_INFINITY }),
  );
  const rows = rowsPerBatch(planned.map((filled) => filled.length));
  const labelsOf = (some: readonly Row[]): number => some.reduce((sum, row) => sum + row.labels, 0);
  const shape: PackedShape = {
    rows,
    tokens: plain.tokens,
    labels: Math.max(plain.labels / batchSize, ...planned.flatMap((filled) => inParts(filled, rows).map(labelsOf))),
    examples: batchSize,
  };
  return {
    shape,
    batchesAt: (draw) =>
      grouped(fillRows(draws.examplesAt(draw), shape), shape).map((some) => packedBatch(some, { shape, padId })),
  };
}

/** Examples that share a row, and what they take of it. */
interface Row {
  readonly examples: Example[];
  tokens: number;
  labels: number;
}

/** First fit, longest first: at most 11/9 of the rows that the best packing takes (Johnson 1973). */
function fillRows(examples: readonly Example[], most: { readonly tokens: number; readonly labels: number }): Row[] {
  const rows: Row[] = [];
  for (const example of examples.toSorted((a, b) => b.tokens.length - a.tokens.length)) {
    const { length } = example.tokens;
    const labels = labelCountOf(example);
    let row = rows.find((r) => r.tokens + length <= most.tokens && r.labels + labels <= most.labels);
    if (!row) rows.push((row = { examples: [], tokens: 0, labels: 0 }));
    row.examples.push(example);
    row.tokens += length;
    row.labels += labels;
  }
  return rows;
}

/** R with which the draws take the fewest rows in all, padding included; of several the largest. */
function rowsPerBatch(needed: readonly number[]): number {
  let best = { rows: 1, cost: Number.POSITIVE_INFINITY };
  for (let rows = 1; rows <= Math.max(...needed); rows++) {
    const cost = needed.reduce((sum, n) => sum + Math.ceil(n / rows) * rows, 0);
    if (cost <= best.cost) best = { rows, cost };
  }
  return best.rows;
}

const inParts = (rows: readonly Row[], size: number): readonly (readonly Row[])[] =>
  Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size));

/** Rows in order, as many to a batch as fit. */
function grouped(rows: readonly Row[], shape: PackedShape): readonly (readonly Row[])[] {
  const groups: Row[][] = [];
  let labels = 0;
  for (const row of rows) {
    const last = groups.at(-1);
    if (last && last.length < shape.rows && labels + row.labels <= shape.labels) {
      last.push(row);
      labels += row.labels;
    } else {
      groups.push([row]);
      labels = row.labels;
    }
  }
  return groups;
}

/** As `fillBatch` has it: row m predicts labelIds[m], the token behind position labelRows[m]. */
function packedBatch(rows: readonly Row[], { shape, padId }: { shape: PackedShape; padId: number }): Batch {
  const size = shape.rows * shape.tokens;
  const ids = new BigInt64Array(size).fill(BigInt(padId));
  const [positions, segments] = [new BigInt64Array(size), new BigInt64Array(size)];
  const promptLengths = new BigInt64Array(shape.examples).fill(1n);
  const [labelRows, labelIds] = [new BigInt64Array(shape.labels), new BigInt64Array(shape.labels)];
  const labelWeights = new Float32Array(shape.labels);
  const spans: Span[] = [];
  let m = 0;
  for (const [r, row] of rows.entries()) {
    let start = r * shape.tokens;
    for (const example of row.examples) {
      const { tokens, promptLength } = example;
      promptLengths[spans.length] = BigInt(promptLength);
      spans.push({ start, length: tokens.length });
      for (const [t, token] of tokens.entries()) {
        ids[start + t] = BigInt(token);
        positions[start + t] = BigInt(t);
        segments[start + t] = BigInt(spans.length);
      }
      for (const [from, to] of learntRanges(example)) {
        for (let t = from; t < to; t++, m++) {
          labelRows[m] = BigInt(start + t - 1);
          labelIds[m] = BigInt(tokens[t]!);
          labelWeights[m] = 1;
        }
      }
      start += tokens.length;
    }
  }
  const grid = (data: BigInt64Array): Tensor => ({ dtype: "int64", shape: [shape.rows, shape.tokens], data });
  const list = (data: BigInt64Array): Tensor => ({ dtype: "int64", shape: [data.length], data });
  return {
    inputIds: grid(ids),
    promptLengths: list(promptLengths),
    labelRows: list(labelRows),
    labelIds: list(labelIds),
    labelWeights: float32([shape.labels], labelWeights),
    exampleCount: spans.length,
    labelCount: m,
    packing: { positions: grid(positions), segments: grid(segments), spans },
  };
}
