/** Reads data files from disk, and writes a peer's share of them. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { formatOfFile, readRecords } from "../../data/dataset.ts";
import { formatJsonl } from "../../data/jsonl.ts";
import type { DataRecord } from "../../data/record.ts";
import { NodeError } from "../../errors.ts";
import { writeFileAtomic } from "./atomic-file.ts";

/** Largest text file that is read whole: well under the longest string of the runtime, 2^29 characters. */
const TEXT_BYTES_MAX = 256 * 2 ** 20;

/** Longest line of a JSONL file in characters: thousands of times what any model reads at once. */
const LINE_LENGTH_MAX = 2 ** 24;

/**
 * Records of a data file: `.jsonl` row by row, any other as a play or as paragraphs.
 * Throws: NodeError DATA_FORMAT for a file that cannot be read, is empty, or does not hold what its form asks for.
 */
export async function readDataFile(path: string): Promise<DataRecord[]> {
  const bytes = await fileSize(path);
  if (formatOfFile(path) === "jsonl") return readRecords({ file: path, lines: linesOf(path) });
  if (bytes > TEXT_BYTES_MAX) {
    const text = `${path} has ${bytes} bytes, ${TEXT_BYTES_MAX} are the most for a text file; write it as JSONL rows`;
    throw new NodeError("DATA_FORMAT", text, { path, bytes });
  }
  return readRecords({ file: path, text: await readFile(path, "utf8") });
}

/** Write records as JSONL, completely or not at all. */
export async function writeDataFile(path: string, records: readonly DataRecord[]): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(formatJsonl(records)));
}

/** The lines of a file, one after another; a file of any size passes through a bounded buffer. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  let pending: string[] = [];
  let length = 0;
  let number = 1;
  for await (const chunk of createReadStream(path, { encoding: "utf8" }) as AsyncIterable<string>) {
    const [head, ...rest] = chunk.split("\n") as [string, ...string[]];
    pending.push(head);
    length += head.length;
    if (rest.length > 0) {
      yield pending.join("");
      const tail = rest.pop()!;
      yield* rest;
      pending = [tail];
      length = tail.length;
      number += rest.length + 1;
    }
    if (length > LINE_LENGTH_MAX) {
      const text = `${path}:${number}: this line is longer than ${LINE_LENGTH_MAX} characters; write one row a line`;
      throw new NodeError("DATA_FORMAT", text, { path, line: number });
    }
  }
  if (length > 0) yield pending.join("");
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
