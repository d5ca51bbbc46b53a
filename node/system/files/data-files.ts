/** Reads data files from disk, and writes a peer's share of them. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { DataFindings } from "../../data/data-findings.ts";
import { type ReadOptions, recordsOfFile } from "../../data/data-set.ts";
import { formatJsonl } from "../../data/jsonl.ts";
import { linesOfText } from "../../data/lines.ts";
import type { DataRecord } from "../../data/record.ts";
import { decodedText } from "../../data/text-decoder.ts";
import { NodeError } from "../../errors.ts";
import { writeFileAtomic } from "./atomic-file.ts";
import { filesOfPath, openBytes, STANDARD_INPUT, unzstd } from "./data-bytes.ts";
import { classNamesBeside } from "./data-set-card.ts";

/** A file, or a folder of shards, that is read record by record. */
export interface DataSet {
  /** What it turned out to be; complete once all records are read. */
  readonly found: DataFindings;
  /** To be gone through once. */
  readonly records: AsyncIterable<DataRecord>;
}

/**
 * The records of a path: a file, the shards in a folder, or `-` for standard input; the form is decided by the content.
 * Throws, here or while records are read: NodeError DATA_FORMAT for what cannot be read, is empty, or is not what its
 * form asks for; CONFIG_INVALID for a character set of no known name.
 */
export async function openDataSet(path: string, options: Omit<ReadOptions, "unzstd"> = {}): Promise<DataSet> {
  const { paths, warnings } = await filesOfPath(path);
  const found = new DataFindings();
  for (const warning of warnings) found.warnings.add(warning);
  async function* records(): AsyncGenerator<DataRecord> {
    for (const { file, set } of paths) {
      const classes = file === STANDARD_INPUT ? undefined : await classNamesBeside(file);
      const opened = await openBytes(file);
      try {
        yield* recordsOfFile(opened, { ...options, unzstd, classes, ...(set && { set }) }, found);
      } catch (cause) {
        throw opened.grown() > 0 && cause instanceof NodeError ? whileItGrew(cause) : cause;
      }
      if (opened.grown() > 0) {
        found.warnings.add(`${file} grew while it was read; what was written meanwhile is not trained on`);
      }
    }
  }
  return { found, records: records() };
}

/** A fault at the end of a file that somebody is writing may be no more than the beginning of a row. */
function whileItGrew({ code, message, facts, cause }: NodeError): NodeError {
  return new NodeError(code, `${message}; the file grows while it is read, give a copy that nothing writes to`, facts, {
    cause,
  });
}

/** All records of a path in memory.  Throws: as `openDataSet`. */
export async function readDataFile(path: string, options: Omit<ReadOptions, "unzstd"> = {}): Promise<DataRecord[]> {
  const records: DataRecord[] = [];
  for await (const record of (await openDataSet(path, options)).records) records.push(record);
  return records;
}

/** Write records as JSONL, completely or not at all. */
export async function writeDataFile(path: string, records: readonly DataRecord[]): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(formatJsonl(records)));
}

/** The lines of a file of UTF-8, one after another; a file of any size passes through a bounded buffer. */
export function linesOf(path: string): AsyncGenerator<string> {
  return linesOfText(decodedText(createReadStream(path), { file: path }), { file: path });
}

/** Bytes of a file of data.  Throws: DATA_FORMAT where there is none. */
export async function fileSize(path: string): Promise<number> {
  let about: Awaited<ReturnType<typeof stat>>;
  try {
    about = await stat(path);
  } catch (cause) {
    const text = `${path} cannot be read; check that the file exists and may be read`;
    throw new NodeError("DATA_FORMAT", text, { path }, { cause });
  }
  if (!about.isFile()) throw new NodeError("DATA_FORMAT", `${path} is not a file; give a file of data`, { path });
  return about.size;
}
