/** One line of the egress ledger: a message, chained by hashes to all lines before it. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { EGRESS_KINDS, type EgressMessage } from "../interface/egress.ts";

/** A message on record. */
export interface EgressRecord extends EgressMessage {
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

/** The line of a message with its line end, and the head after it. */
export function formatRecord(
  message: EgressMessage,
  { at, head }: { readonly at: string; readonly head: EgressHead },
): { readonly line: string; readonly head: EgressHead } {
  const { kind, protocol, to, bytes, content, epsilon } = message;
  const fields = { number: head.number, at, kind, protocol, to, bytes, content, epsilon, previous: head.hash };
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
    EGRESS_KINDS.includes(record.kind) &&
    Array.isArray(record.to) &&
    typeof record.at === "string" &&
    hash === hashOf(fields) &&
    line === JSON.stringify(record);
  return isWellFormed ? record : undefined;
}

const hashOf = (fields: object): string => bytesToHex(sha256(utf8ToBytes(JSON.stringify(fields))));
