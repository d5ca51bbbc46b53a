/**
 * Examples for models that read tensors: rows of JSON, one example a line, a number or nested list for every input of
 * the model and for the labels. All rows have the same shapes; a batch puts them on top of each other.
 */
import { NodeError } from "../errors.ts";
import type { Dtype, Tensor } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";

/** One field of a row: values in row-major order. */
export interface RowTensor {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** One example: a tensor for each input, by the input's name. */
export type TensorRow = ReadonlyMap<string, RowTensor>;

/** Deepest list within lists; as many axes as a tensor of a model has. */
const DEPTH_MAX = 8;

/**
 * All rows, with the shapes of the first; blank lines are skipped.
 * Throws: DATA_FORMAT with `file:line: what, what to do`.
 */
export async function readTensorRows(
  lines: AsyncIterable<string> | Iterable<string>,
  { file }: { readonly file: string },
): Promise<readonly TensorRow[]> {
  const rows: TensorRow[] = [];
  let line = 0;
  for await (const text of lines) {
    line += 1;
    if (text.trim() === "") continue;
    const fail = (what: string, cause?: unknown): NodeError =>
      new NodeError("DATA_FORMAT", `${file}:${line}: ${what}`, { file, line }, { cause });
    const row = parseRow(text, fail);
    for (const [name, { shape }] of rows[0] ?? []) {
      const found = row.get(name)?.shape;
      if (found?.join() === shape.join()) continue;
      const what = found ? `"${name}" has the shape [${found}], the first row's [${shape}]` : `"${name}" is missing`;
      throw fail(`${what}; give all rows the same shapes, filled up where they are shorter`);
    }
    rows.push(row);
  }
  if (rows.length > 0) return rows;
  throw new NodeError("DATA_FORMAT", `${file} has no rows; write one JSON object a line`, { file });
}

/** The same field of several rows, on top of each other: [rows, ...shape].  Throws: DATA_FORMAT for a missing field. */
export function stackRows(rows: readonly TensorRow[], name: string, dtype: Dtype): Tensor {
  const parts = rows.map((row) => row.get(name));
  if (parts.includes(undefined)) {
    const there = [...(rows[0]?.keys() ?? [])].join(", ");
    throw new NodeError("DATA_FORMAT", `the rows have no "${name}", which the model reads; they have ${there}`);
  }
  const shape = [rows.length, ...parts[0]!.shape];
  const values = parts.flatMap((part) => part!.values);
  return { dtype, shape, data: dataOf(values, { dtype, name, count: sizeOf(shape) }) };
}

function dataOf(
  values: readonly number[],
  { dtype, name, count }: { readonly dtype: Dtype; readonly name: string; readonly count: number },
): Tensor["data"] {
  if (values.length !== count) throw new RangeError(`${name} has ${values.length} values, not ${count}`);
  const whole = (): readonly number[] => {
    const wrong = values.find((value) => !Number.isSafeInteger(value));
    if (wrong === undefined) return values;
    throw new NodeError("DATA_FORMAT", `"${name}" holds ${wrong}, but the model reads whole numbers there`);
  };
  switch (dtype) {
    case "float32":
      return Float32Array.from(values);
    case "int64":
      return BigInt64Array.from(whole(), BigInt);
    case "int32":
      return Int32Array.from(whole());
    case "bool":
      return Uint8Array.from(values, (value) => (value === 0 ? 0 : 1));
    default:
      throw new NodeError(
        "MODEL_CONFIG",
        `the model's input ${name} is ${dtype}; float32, int64, int32 and bool are fed`,
      );
  }
}

function parseRow(text: string, fail: (what: string, cause?: unknown) => NodeError): TensorRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail("this is not JSON; write one complete object on the line", error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw fail("this is no JSON object");
  return new Map(
    Object.entries(value).map(([name, field]) => {
      const values: number[] = [];
      const shape = shapeOf(field, values, 0);
      if (shape) return [name, { shape, values }];
      throw fail(`"${name}" is neither a number nor lists of equal lengths of numbers`);
    }),
  );
}

/** The shape of nested lists, whose numbers are appended to `out`; undefined where they are not rectangular. */
function shapeOf(value: unknown, out: number[], depth: number): readonly number[] | undefined {
  if (typeof value === "boolean") return shapeOf(Number(value), out, depth);
  if (typeof value === "number") {
    out.push(value);
    return [];
  }
  if (!Array.isArray(value) || depth >= DEPTH_MAX) return undefined;
  const shapes = value.map((part) => shapeOf(part, out, depth + 1));
  const [first] = shapes;
  if (value.length > 0 && shapes.some((shape) => shape === undefined || shape.join() !== first!.join()))
    return undefined;
  return [value.length, ...(first ?? [])];
}
