/** Reading a ledger: whether its chain holds, what it adds up to, and how it looks to other programs. */
import { NodeError } from "../errors.ts";
import { EGRESS_KINDS, type EgressKind } from "../interface/egress.ts";
import { EGRESS_START, type EgressHead, type EgressRecord, parseRecord } from "./egress-record.ts";

/** How much was sent. */
export interface EgressTotal {
  readonly messages: number;
  readonly bytes: number;
}

/** What a whole ledger adds up to. */
export interface EgressSummary extends EgressTotal {
  readonly kinds: Readonly<Partial<Record<EgressKind, EgressTotal>>>;
  /** Different peers that anything was sent to. */
  readonly recipients: number;
  /** Of the newest record; null without a privacy budget. */
  readonly epsilon: number | null;
  readonly first: string | undefined;
  readonly last: string | undefined;
  /** Hash of the last line: kept elsewhere, it shows later that nothing before it was changed. */
  readonly head: string;
}

/**
 * The records of a ledger, checked one after another; the last line may lack its end, being written.
 * Throws: NodeError EGRESS_LEDGER at the first line that is changed, missing or out of place.
 */
export async function* checkedRecords(lines: AsyncIterable<string>): AsyncGenerator<EgressRecord> {
  let head: EgressHead = EGRESS_START;
  for await (const line of lines) {
    const record = parseRecord(line);
    if (record === undefined) throw broken(head.number, "is damaged or was changed");
    if (record.number !== head.number || record.previous !== head.hash) {
      throw broken(head.number, `does not follow the one before it (it says record ${record.number})`);
    }
    yield record;
    head = { number: record.number + 1, hash: record.hash };
  }
}

/** Throws: what the records throw. */
export async function summarizeEgress(records: AsyncIterable<EgressRecord>): Promise<EgressSummary> {
  const kinds: Partial<Record<EgressKind, EgressTotal>> = {};
  const recipients = new Set<string>();
  let [messages, bytes] = [0, 0];
  let first: EgressRecord | undefined;
  let last: EgressRecord | undefined;
  for await (const record of records) {
    const before = kinds[record.kind] ?? { messages: 0, bytes: 0 };
    kinds[record.kind] = { messages: before.messages + 1, bytes: before.bytes + record.bytes };
    for (const peer of record.to) recipients.add(peer);
    messages += 1;
    bytes += record.bytes;
    first ??= record;
    last = record;
  }
  return {
    messages,
    bytes,
    kinds: Object.fromEntries(EGRESS_KINDS.flatMap((kind) => (kinds[kind] ? [[kind, kinds[kind]]] : []))),
    recipients: recipients.size,
    epsilon: last?.epsilon ?? null,
    first: first?.at,
    last: last?.at,
    head: last?.hash ?? EGRESS_START.hash,
  };
}

const COLUMNS = [
  "number",
  "at",
  "kind",
  "protocol",
  "to",
  "bytes",
  "content",
  "epsilon",
  "previous",
  "hash",
] as const satisfies readonly (keyof EgressRecord)[];

/** The ledger as CSV by RFC 4180, a heading first; recipients are separated by spaces. */
export async function* egressCsv(records: AsyncIterable<EgressRecord>): AsyncGenerator<string> {
  yield `${COLUMNS.join(",")}\r\n`;
  for await (const record of records) {
    const cells = COLUMNS.map((column) => {
      const value = record[column];
      const text = value === null ? "" : Array.isArray(value) ? value.join(" ") : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    });
    yield `${cells.join(",")}\r\n`;
  }
}

/** The ledger as one JSON array, a record on each line. */
export async function* egressJson(records: AsyncIterable<EgressRecord>): AsyncGenerator<string> {
  let separator = "[\n";
  for await (const record of records) {
    yield `${separator}${JSON.stringify(record)}`;
    separator = ",\n";
  }
  yield separator === "[\n" ? "[]\n" : "\n]\n";
}

function broken(number: number, what: string): NodeError {
  const text = `record ${number} of the egress ledger ${what}; the records after it prove nothing`;
  return new NodeError("EGRESS_LEDGER", text, { record: number });
}
