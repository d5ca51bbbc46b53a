/** Rows of Arrow record batches, in a file or as a stream. The only user of apache-arrow. */
import { CompressionType, compressionRegistry, RecordBatchReader } from "apache-arrow";
import type { NodeError } from "../errors.ts";
import { dataRefusal } from "./place.ts";
import type { BytePieces, Row, RowValues } from "./row.ts";
import { plainValue } from "./table-value.ts";

/** How compressed batches are unpacked.  bytes: one zstd frame. */
export type Unzstd = (bytes: Uint8Array) => Uint8Array;

/** One row a record.  Throws: DATA_FORMAT naming Arrow where it is none, is damaged, or is packed by LZ4. */
export async function* arrowRows(
  pieces: BytePieces,
  { file, unzstd }: { readonly file: string; readonly unzstd?: Unzstd | undefined },
): AsyncGenerator<Row> {
  if (unzstd && !compressionRegistry.get(CompressionType.ZSTD)) {
    compressionRegistry.set(CompressionType.ZSTD, { decode: unzstd });
  }
  const refusal = (cause: unknown): NodeError => {
    const text = cause instanceof Error ? cause.message : String(cause);
    const todo = /compress|codec/iu.test(text) ? "write it uncompressed or by zstd" : "take it from its source again";
    return dataRefusal({ file }, `this begins as an Arrow file but cannot be read as one (${text}); ${todo}`, cause);
  };
  let row = 0;
  try {
    const reader = await RecordBatchReader.from(pieces as AsyncIterable<Uint8Array>);
    await reader.open();
    if (reader.schema === undefined) throw new Error("it has no schema");
    for await (const batch of reader) {
      for (const values of batch) {
        row += 1;
        yield { values: plainValue(values?.toJSON() ?? {}) as RowValues, place: { file, row } };
      }
    }
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "DATA_FORMAT") throw cause;
    throw refusal(cause);
  }
}
