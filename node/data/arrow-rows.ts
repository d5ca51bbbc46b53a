/** Rows of Arrow record batches, in a file or as a stream. The only user of apache-arrow. */
import { CompressionType, compressionRegistry, type Data, RecordBatchReader } from "apache-arrow";
import { ByteBuffer } from "flatbuffers/js/byte-buffer.js";
import type { NodeError } from "../errors.ts";
import { ArrowStream } from "./arrow-stream.ts";
import { namesOfMetadata } from "./class-names.ts";
import { dataRefusal } from "./place.ts";
import type { BytePieces, Row, RowValues } from "./row.ts";
import { plainValue } from "./table-value.ts";

/** How compressed batches are unpacked.  bytes: one zstd frame. */
export type Unzstd = (bytes: Uint8Array) => Uint8Array;

// Counts of a damaged file are compared with its bytes before anybody counts so far: the library takes them as they stand.
const countOf = ByteBuffer.prototype.__vector_len;
ByteBuffer.prototype.__vector_len = function (offset: number): number {
  const count = countOf.call(this, offset);
  if (count < 0 || count > this.capacity()) throw new Error(`a list of ${count} entries in ${this.capacity()} bytes`);
  return count;
};

/** Values that may take no bytes at all, as those of a column of nulls. */
const VALUES_WITHOUT_BYTES = 1_000_000;

/**
 * A value takes a bit or more, and a list or text lies within the values of its column.
 * Throws: Error where a column or one within it has more values than its bytes can hold, or one that lies outside of them.
 */
function boundValues(column: Data): void {
  const { length, byteLength, valueOffsets, values, children } = column;
  if (length > Math.max(VALUES_WITHOUT_BYTES, 8 * byteLength)) {
    throw new Error(`a column of ${length} values in ${byteLength} bytes`);
  }
  for (const child of children) boundValues(child);
  if (valueOffsets === undefined || length === 0 || valueOffsets.length <= length) return;
  const end = children[0]?.length ?? values?.length ?? 0;
  for (let at = 0; at < length; at += 1) {
    const [from, to] = [valueOffsets[at] ?? 0, valueOffsets[at + 1] ?? 0];
    if (from > to || to > end) throw new Error(`a value from ${from} to ${to} of ${end}`);
  }
}

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
    const stream = new ArrowStream(pieces);
    const reader = await RecordBatchReader.from(stream.bytes());
    await reader.open();
    if (reader.schema === undefined) throw new Error("it has no schema");
    const classes = namesOfMetadata(reader.schema.metadata.get("huggingface"));
    for await (const batch of reader) {
      boundValues(batch.data);
      for (const values of batch) {
        row += 1;
        yield { values: plainValue(values?.toJSON() ?? {}) as RowValues, place: { file, row }, classes };
      }
    }
    await stream.end();
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "DATA_FORMAT") throw cause;
    throw refusal(cause);
  }
}
