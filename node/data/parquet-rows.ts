/** Rows of a Parquet file, row group by row group. The only user of hyparquet. */
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { NodeError } from "../errors.ts";
import { namesOfMetadata } from "./class-names.ts";
import { dataRefusal } from "./place.ts";
import type { Row, RowValues } from "./row.ts";
import { plainValue } from "./table-value.ts";

/** Bytes of a file that can be read from any place. */
export interface RandomBytes {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

/** One row a record.  Throws: DATA_FORMAT naming Parquet where the file is none or is damaged. */
export async function* parquetRows(bytes: RandomBytes, { file }: { readonly file: string }): AsyncGenerator<Row> {
  const refusal = (cause: unknown): NodeError =>
    cause instanceof NodeError
      ? cause
      : dataRefusal(
          { file },
          `this begins as a Parquet file but cannot be read as one (${reason(cause)}); take it from its source again`,
          cause,
        );
  const buffer: AsyncBuffer = { byteLength: bytes.byteLength, slice: (start, end) => bytes.slice(start, end) };
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(buffer);
  } catch (cause) {
    throw refusal(cause);
  }
  // A file may encrypt its columns alone, and then begins as any other.
  if (metadata.row_groups.some(({ columns }) => columns.some((column) => column.crypto_metadata !== undefined))) {
    throw dataRefusal({ file }, "columns of this Parquet file are encrypted, which weft does not read; decrypt it");
  }
  const classes = namesOfMetadata(metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value);
  let row = 0;
  for (const group of metadata.row_groups) {
    const end = row + Number(group.num_rows);
    let objects: Record<string, unknown>[];
    try {
      objects = await parquetReadObjects({
        file: buffer,
        metadata,
        rowStart: row,
        rowEnd: end,
        compressors,
        utf8: true,
      });
    } catch (cause) {
      throw refusal(cause);
    }
    if (objects.length !== end - row) throw refusal(new Error("it has fewer rows than it says"));
    for (const values of objects)
      yield { values: plainValue(values) as RowValues, place: { file, row: ++row }, classes };
  }
}

function reason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/^parquet (file )?/u, "").split("\n")[0]!;
}
