/** One line of the egress ledger: a message, chained by hashes to all lines before it. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { EGRESS_KINDS, type EgressKind, type EgressMessage } from "../interface/egress.ts";

/** What one line says of messages: of one, of so many more of the same, or of so many of one kind (egress-compaction.ts). */
export interface CountedMessage extends EgressMessage {
  /** So many more messages like one before; `bytes` is their sum. */
  readonly repeats?: number;
  /** So many messages of one kind; `bytes` is their sum, `content` the SHA-256 of their contents, each with a line feed. */
  readonly messages?: number;
}

/** How much was sent. */
export interface EgressTotal {
  readonly messages: number;
  readonly bytes: number;
}

/** By kind, those of which there was any. */
export type EgressTotals = Readonly<Partial<Record<EgressKind, EgressTotal>>>;

/** What takes the place of the oldest records: `content` is the hash of the last of them, `messages` and `bytes` are sums. */
export interface ForgottenRecords extends Omit<CountedMessage, "kind"> {
  readonly kind: "forgotten";
  /** Number of records that are gone: the ledger begins with this number. */
  readonly records: number;
  readonly kinds: EgressTotals;
}

/** Messages on record, or what is left of records. */
export type EgressRecord = (CountedMessage | ForgottenRecords) & RecordPlace;

/** Where a record stands in its ledger. */
interface RecordPlace {
  /** Position in the ledger, from 0. */
  readonly number: number;
  /** ISO 8601. */
  readonly at: string;
  /** Hash of the line before. */
  readonly previous: string;
  /** SHA-256, hexadecimal, of this line as it is without this field. */
  readonly hash: string;
}

/** Where the next record goes. */
export interface EgressHead {
  readonly number: number;
  readonly hash: string;
}

/** Of an empty ledger. */
export const EGRESS_START: EgressHead = { number: 0, hash: "0".repeat(64) };

/** A line holds at most the ids of all connected peers; what is longer is none. */
export const EGRESS_LINE_BYTES_MAX = 32 * 1024;

/** How many messages a record tells of; none where it tells of records that are gone. */
export function messageCount(record: CountedMessage | ForgottenRecords): number {
  return record.kind === "forgotten" ? 0 : (record.repeats ?? record.messages ?? 1);
}

/** The line of a record with its line end, and the head after it. */
export function formatRecord(
  record: CountedMessage | ForgottenRecords,
  { at, head }: { readonly at: string; readonly head: EgressHead },
): { readonly line: string; readonly head: EgressHead } {
  const { kind, protocol, to, bytes, content, epsilon, repeats, messages } = record;
  const gone = record.kind === "forgotten" ? { records: record.records, kinds: record.kinds } : {};
  const said = { kind, protocol, to, bytes, content, epsilon, repeats, messages, ...gone };
  // What is undefined has no place in the line.
  const fields = { number: head.number, at, ...said, previous: head.hash };
  const hash = hashOf(fields);
  return { line: `${JSON.stringify({ ...fields, hash })}\n`, head: { number: head.number + 1, hash } };
}

/** The record in a line without its line end; undefined when it is no line of a ledger or its hash is not its own. */
export function parseRecord(line: string): EgressRecord | undefined {
  if (line.length > EGRESS_LINE_BYTES_MAX || !line.startsWith('{"number":')) return undefined;
  let record: EgressRecord;
  try {
    record = JSON.parse(line) as EgressRecord;
  } catch {
    // Torn or not JSON: not a record, which is the answer.
    return undefined;
  }
  const { hash, ...fields } = record;
  const isWellFormed =
    Number.isSafeInteger(record.number) &&
    Number.isSafeInteger(record.bytes) &&
    (record.kind === "forgotten" ? isForgotten(record) : EGRESS_KINDS.includes(record.kind)) &&
    [record.repeats, record.messages].every((count) => count === undefined || Number.isSafeInteger(count)) &&
    Array.isArray(record.to) &&
    typeof record.at === "string" &&
    hash === hashOf(fields) &&
    line === JSON.stringify(record);
  return isWellFormed ? record : undefined;
}

const isForgotten = ({ records, kinds }: ForgottenRecords): boolean =>
  Number.isSafeInteger(records) && typeof kinds === "object" && kinds !== null;

const hashOf = (fields: object): string => bytesToHex(sha256(utf8ToBytes(JSON.stringify(fields))));
