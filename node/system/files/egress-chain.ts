/**
 * The chain of an egress ledger as it is written: records behind records, in segments of a size. A segment that is full is
 * sealed. When the segments are larger than the bound together, the oldest go, once a record behind them says so.
 */
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { NodeError } from "../../errors.ts";
import type { Logger } from "../../interface/logger.ts";
import {
  type CountedMessage,
  EGRESS_START,
  type EgressHead,
  type ForgottenRecords,
  formatRecord,
} from "../../privacy/egress-record.ts";
import { fileError, syncFolder } from "./atomic-file.ts";
import {
  firstRecord,
  lastRecord,
  lastRecordAt,
  removeSegments,
  type SealedSegment,
  sealedSegments,
  sealSegment,
  sumOf,
} from "./egress-segments.ts";

/** Sizes of a ledger. Units: bytes. */
export interface EgressBounds {
  /** Largest segment; it is sealed before a record would make it larger. */
  readonly segmentBytes: number;
  /** Of all segments together, the one that is written counted as full. */
  readonly totalBytes: number;
}

/** A record to be written, and its time, ISO 8601. */
export interface TimedRecord {
  readonly record: CountedMessage | ForgottenRecords;
  readonly at: string;
}

/** What a chain needs. */
export interface EgressChainDependencies {
  readonly logger: Logger;
  /** Appends bytes to a file; the system's own way when absent. */
  readonly append?: (file: FileHandle, bytes: Uint8Array) => Promise<void>;
}

/** Where the chain goes on, and in what. */
interface Place {
  readonly file: FileHandle;
  readonly head: EgressHead;
  /** Bytes of the segment that is written. */
  readonly length: number;
  /** Of the last record. */
  readonly epsilon: number | null;
  readonly gone: ForgottenRecords | undefined;
  readonly hasSealed: boolean;
}

/**
 * Open the segment that is written; it is made where there is none. What a crash left behind the last whole record is cut off,
 * with a warning.  Throws: NodeError EGRESS_LEDGER when the last records are no records; what the system says.
 */
export async function openEgressChain(
  dependencies: EgressChainDependencies,
  { path, bounds }: { readonly path: string; readonly bounds: EgressBounds },
): Promise<EgressChain> {
  const file = await openSegment(path);
  try {
    const { tornBytes, ...place } = await findPlace(file, path);
    if (tornBytes > 0) {
      const text = "the egress ledger ended in the middle of a record, which is cut off";
      dependencies.logger.warn(text, { bytes: tornBytes });
      await file.truncate(place.length);
    }
    await file.sync();
    await syncFolder(dirname(path));
    return new EgressChain(dependencies, { path, bounds, place: { file, ...place } });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** One writer's hold of a ledger; its calls are made one after another. */
export class EgressChain {
  readonly #dependencies: EgressChainDependencies;
  readonly #path: string;
  readonly #bounds: EgressBounds;
  #place: Place;
  #isDirty = false;

  /** Use openEgressChain. */
  constructor(
    dependencies: EgressChainDependencies,
    { path, bounds, place }: { readonly path: string; readonly bounds: EgressBounds; readonly place: Place },
  ) {
    this.#dependencies = dependencies;
    this.#path = path;
    this.#bounds = bounds;
    this.#place = place;
  }

  /** Write records behind the last one, all or none.  Throws: what the system says. */
  async put(records: readonly TimedRecord[]): Promise<void> {
    const [first] = records;
    if (first === undefined) return;
    const { segmentBytes } = this.#bounds;
    const { length } = this.#place;
    if (length > 0 && length + this.#linesOf(records).bytes.byteLength > segmentBytes) await this.#seal();
    if (this.#place.length === 0 && this.#place.hasSealed) await this.#forget(first.at);
    await this.#write(records);
  }

  /** Everything that was put survives the machine, too.  Throws: what the system says. */
  async sync(): Promise<void> {
    if (!this.#isDirty) return;
    await this.#place.file.sync();
    this.#isDirty = false;
  }

  /** Give the file back. */
  async close(): Promise<void> {
    await this.#place.file.close();
  }

  async #write(records: readonly TimedRecord[]): Promise<void> {
    const { append = appendTo } = this.#dependencies;
    const { file, length } = this.#place;
    const { bytes, head } = this.#linesOf(records);
    try {
      await append(file, bytes);
    } catch (cause) {
      // A half-written line would break the chain for what comes after it.
      await file.truncate(length).catch(() => undefined);
      throw cause;
    }
    const epsilon = records.at(-1)?.record.epsilon ?? null;
    this.#place = { ...this.#place, head, length: length + bytes.byteLength, epsilon };
    this.#isDirty = true;
  }

  #linesOf(records: readonly TimedRecord[]): { readonly bytes: Uint8Array; readonly head: EgressHead } {
    let { head } = this.#place;
    const lines = records.map(({ record, at }) => {
      const next = formatRecord(record, { at, head });
      head = next.head;
      return next.line;
    });
    return { bytes: new TextEncoder().encode(lines.join("")), head };
  }

  async #seal(): Promise<void> {
    const { file: full, head } = this.#place;
    await this.sync();
    await sealSegment(this.#path, head.number);
    const file = await openSegment(this.#path);
    await syncFolder(dirname(this.#path));
    this.#place = { ...this.#place, file, length: 0, hasSealed: true };
    await full.close();
  }

  /** Let the oldest go where there are too many. Each segment begins with what is said of them, so that it does not go, too. */
  async #forget(at: string): Promise<void> {
    const { gone: before, epsilon } = this.#place;
    const all = await sealedSegments(this.#path);
    // What a crash left here of those that are gone.
    const left = all.filter(({ end }) => end <= (before?.records ?? 0));
    const sealed = all.slice(left.length);
    const spare = tooMany(sealed, this.#bounds);
    let gone = before;
    const last = spare.at(-1);
    if (last !== undefined) {
      const kept = sealed[spare.length];
      const content = (kept && (await firstRecord(kept.path))?.previous) ?? this.#place.head.hash;
      const sums = await sumOf(spare, before);
      const what = { kind: "forgotten", protocol: "", to: [], content, epsilon, records: last.end } as const;
      gone = { ...what, ...sums };
    }
    if (gone === undefined) return;
    await this.#write([{ record: gone, at }]);
    await this.sync();
    this.#place = { ...this.#place, gone };
    await this.#remove([...left, ...spare]);
  }

  async #remove(segments: readonly SealedSegment[]): Promise<void> {
    const { logger } = this.#dependencies;
    const last = segments.at(-1);
    if (last === undefined) return;
    try {
      await removeSegments(this.#path, segments);
    } catch (error) {
      logger.warn("old segments of the egress ledger cannot be taken away", { error });
      return;
    }
    const text = "the oldest records of the egress ledger make room for new ones; the ledger keeps their sums";
    logger.info(text, { records: last.end });
  }
}

/** The oldest segments, so many that the others and a full one are within the bound. */
function tooMany(
  sealed: readonly SealedSegment[],
  { segmentBytes, totalBytes }: EgressBounds,
): readonly SealedSegment[] {
  let rest = sealed.reduce((sum, { bytes }) => sum + bytes, 0) + segmentBytes;
  const spare: SealedSegment[] = [];
  for (const segment of sealed) {
    if (rest <= totalBytes) break;
    spare.push(segment);
    rest -= segment.bytes;
  }
  return spare;
}

const appendTo = (file: FileHandle, bytes: Uint8Array): Promise<void> => file.appendFile(bytes);

function openSegment(path: string): Promise<FileHandle> {
  return open(path, "a+", 0o600).catch((cause: unknown) => {
    throw fileError(cause, path);
  });
}

/** Behind the last record: of the segment that is written, or of the newest sealed one where that has none. */
async function findPlace(file: FileHandle, path: string) {
  const end = await lastRecord(file);
  if (end === undefined) throw noLedger(path);
  const sealed = await sealedSegments(path);
  const newest = sealed.at(-1);
  const last = end.record ?? (newest && (await lastRecordAt(newest.path))?.record);
  if (newest !== undefined && last === undefined) throw noLedger(newest.path);
  const head = last === undefined ? EGRESS_START : { number: last.number + 1, hash: last.hash };
  const first = end.record === undefined ? newest && (await firstRecord(newest.path)) : await firstRecord(path);
  const gone = first?.kind === "forgotten" ? first : undefined;
  const hasSealed = newest !== undefined;
  return { hasSealed, head, length: end.length, tornBytes: end.tornBytes, epsilon: last?.epsilon ?? null, gone };
}

function noLedger(path: string): NodeError {
  const text = `the end of ${path} holds no record of an egress ledger; keep the file elsewhere, and a new one is begun`;
  return new NodeError("EGRESS_LEDGER", text, { path });
}
