/**
 * The egress ledger on disk is one chain in several files: sealed segments in a folder, the oldest first, and the one that is
 * written. A segment is named by the number of the record after it, so that names are in the order of their records.
 */
import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EGRESS_LINE_BYTES_MAX, type ForgottenRecords, parseRecord } from "../../privacy/egress-record.ts";
import { EgressSums } from "../../privacy/egress-summary.ts";
import { ensureFolder, fileError, syncFolder, systemCode } from "./atomic-file.ts";

/** A segment that nothing is added to any more. */
export interface SealedSegment {
  readonly path: string;
  /** Number of the record after its last one. */
  readonly end: number;
  readonly bytes: number;
}

/** The folder of a ledger's sealed segments.  path: the segment that is written. */
export const sealedFolder = (path: string): string => `${path}.sealed`;

/** More than the records that a ledger ever has. */
const DIGITS = 16;
const NAME = new RegExp(`^(\\d{${DIGITS}})\\.jsonl$`);

/** The oldest first; none where there is no folder.  Throws: NodeError DATA_DIRECTORY. */
export async function sealedSegments(path: string): Promise<readonly SealedSegment[]> {
  const folder = sealedFolder(path);
  try {
    const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
    return await Promise.all(
      names.map(async (name) => {
        const at = join(folder, name);
        return { path: at, end: Number.parseInt(name, 10), bytes: (await stat(at)).size };
      }),
    );
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw fileError(cause, folder);
  }
}

/** Seal the segment that is written.  end: number of the record after its last one.  Throws: DISK_FULL, DATA_DIRECTORY. */
export async function sealSegment(path: string, end: number): Promise<void> {
  const folder = sealedFolder(path);
  await ensureFolder(folder, { mode: 0o700 });
  await rename(path, join(folder, `${String(end).padStart(DIGITS, "0")}.jsonl`));
  await syncFolder(folder);
  await syncFolder(dirname(path));
}

/** Forget segments: there has to be a synced record of them by now.  Throws: NodeError DATA_DIRECTORY. */
export async function removeSegments(path: string, segments: readonly SealedSegment[]): Promise<void> {
  try {
    for (const segment of segments) await unlink(segment.path);
    await syncFolder(sealedFolder(path));
  } catch (cause) {
    throw fileError(cause, sealedFolder(path));
  }
}

/** What the records of segments add up to, together with what was gone before them. Lines that are damaged count nothing. */
export async function sumOf(
  segments: readonly SealedSegment[],
  gone: ForgottenRecords | undefined,
): Promise<Pick<ForgottenRecords, "kinds" | "messages" | "bytes">> {
  const sums = new EgressSums();
  if (gone !== undefined) sums.addTotals(gone.kinds);
  for (const { path } of segments) {
    for await (const line of linesOf(path)) {
      const record = parseRecord(line);
      if (record !== undefined) sums.add(record);
    }
  }
  return { ...sums.total(), kinds: sums.kinds() };
}

/** The first line of a file that is a record; undefined where it has none. */
export async function firstRecord(path: string): Promise<ReturnType<typeof parseRecord>> {
  for await (const line of linesOf(path)) return parseRecord(line);
  return undefined;
}

/** The last whole record of a file that is open, and how many bytes stand behind it; undefined where it has none. */
export async function lastRecord(file: FileHandle) {
  const { size } = await file.stat();
  const windowBytes = Math.min(size, 4 * EGRESS_LINE_BYTES_MAX);
  const tail = new Uint8Array(windowBytes);
  await file.read(tail, 0, windowBytes, size - windowBytes);
  let end = tail.lastIndexOf(10);
  while (end >= 0) {
    const start = end === 0 ? 0 : tail.lastIndexOf(10, end - 1) + 1;
    const record = parseRecord(new TextDecoder().decode(tail.subarray(start, end)));
    if (record) {
      const length = size - windowBytes + end + 1;
      return { record, length, tornBytes: size - length };
    }
    end = start === 0 ? -1 : start - 1;
  }
  // The very first line may be the torn one; anything longer is not what a crash leaves.
  const isTorn = size <= EGRESS_LINE_BYTES_MAX && (size === 0 || !tail.includes(10));
  return isTorn ? { record: undefined, length: 0, tornBytes: size } : undefined;
}

/** The same of a file by its name. */
export async function lastRecordAt(path: string): Promise<Awaited<ReturnType<typeof lastRecord>>> {
  const file = await open(path, "r");
  try {
    return await lastRecord(file);
  } finally {
    await file.close();
  }
}

/**
 * The lines of a ledger on disk, of all its segments; a last one without its end is left out, being written or torn. No
 * ledger is an empty one. It may be written meanwhile.  path: the segment that is written.
 * Throws: NodeError DATA_DIRECTORY.
 */
export async function* egressLines(path: string): AsyncGenerator<string> {
  let read = -1;
  const unread = async (): Promise<readonly SealedSegment[]> =>
    (await sealedSegments(path)).filter(({ end }) => end > read);
  for (;;) {
    for (const segment of await unread()) {
      yield* linesOf(segment.path);
      read = segment.end;
    }
    const file = await open(path, "r").catch((cause: unknown) => {
      if (systemCode(cause) === "ENOENT") return undefined;
      throw fileError(cause, path);
    });
    // What was sealed between the last look and now comes before what is written now.
    if ((await unread()).length > 0) {
      await file?.close();
      continue;
    }
    if (file !== undefined) yield* linesOf(path, file);
    return;
  }
}

/** The lines of one file; none where it is not there.  file: closed at the end. */
async function* linesOf(path: string, file?: FileHandle): AsyncGenerator<string> {
  let rest = "";
  try {
    const stream =
      file === undefined
        ? createReadStream(path, { encoding: "utf8" })
        : file.createReadStream({ encoding: "utf8", start: 0 });
    for await (const chunk of stream) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return;
    throw fileError(cause, path);
  }
}
