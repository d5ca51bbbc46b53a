/** Reading a ledger: whether its chain holds, what it adds up to, and how it looks to other programs. */
import { NodeError } from "../errors.ts";
import { EGRESS_KINDS, type EgressKind } from "../interface/egress.ts";
import {
  EGRESS_START,
  type EgressHead,
  type EgressRecord,
  type EgressTotal,
  type EgressTotals,
  type ForgottenRecords,
  messageCount,
  parseRecord,
} from "./egress-record.ts";

/** What a whole ledger adds up to. */
export interface EgressSummary extends EgressTotal {
  readonly kinds: EgressTotals;
  /** Of the oldest records, which are gone: their number; what they add up to is part of the sums. */
  readonly forgotten: number;
  /** Different peers that anything was sent to, by the records that are there. */
  readonly recipients: number;
  /** Of the newest record; null without a privacy budget. */
  readonly epsilon: number | null;
  readonly first: string | undefined;
  readonly last: string | undefined;
  /** Hash of the last line: kept elsewhere, it shows later that nothing before it was changed. */
  readonly head: string;
}

/**
 * The records of a ledger, checked one after another; the last line may lack its end, being written. A ledger whose oldest
 * records are gone holds a later record that says so, with the hash of the last one that is gone.
 * Throws: NodeError EGRESS_LEDGER at the first line that is changed, missing or out of place.
 */
export async function* checkedRecords(lines: AsyncIterable<string>): AsyncGenerator<EgressRecord> {
  let head: EgressHead | undefined;
  let begin = EGRESS_START;
  let isAccounted = true;
  for await (const line of lines) {
    const record = parseRecord(line);
    if (record === undefined) throw broken(head?.number ?? 0, "is damaged or was changed");
    const { number, previous } = record;
    if (head === undefined) {
      begin = { number, hash: previous };
      isAccounted = number === EGRESS_START.number && previous === EGRESS_START.hash;
      head = begin;
    }
    if (number !== head.number || previous !== head.hash) {
      const place = isAccounted ? head.number : Math.min(head.number, number);
      throw broken(place, `does not follow the one before it (it says record ${number})`);
    }
    isAccounted ||= accountsFor(record, begin);
    yield record;
    head = { number: number + 1, hash: record.hash };
  }
  if (!isAccounted) throw broken(0, `is missing, and so is what comes before record ${begin.number}`);
}

const accountsFor = (record: EgressRecord, { number, hash }: EgressHead): record is EgressRecord & ForgottenRecords =>
  record.kind === "forgotten" && record.records === number && record.content === hash;

/** Throws: what the records throw. */
export async function summarizeEgress(records: AsyncIterable<EgressRecord>): Promise<EgressSummary> {
  const sums = new EgressSums();
  const recipients = new Set<string>();
  let first: EgressRecord | undefined;
  let last: EgressRecord | undefined;
  let gone: ForgottenRecords | undefined;
  for await (const record of records) {
    first ??= record;
    last = record;
    if (accountsFor(record, { number: first.number, hash: first.previous })) gone = record;
    sums.add(record);
    for (const peer of record.to) recipients.add(peer);
  }
  if (gone !== undefined) sums.addTotals(gone.kinds);
  return {
    ...sums.total(),
    kinds: sums.kinds(),
    forgotten: gone?.records ?? 0,
    recipients: recipients.size,
    epsilon: last?.epsilon ?? null,
    first: first?.at,
    last: last?.at,
    head: last?.hash ?? EGRESS_START.hash,
  };
}

/** Sums of records by kind. */
export class EgressSums {
  readonly #kinds: Partial<Record<EgressKind, EgressTotal>> = {};

  /** One more record. */
  add(record: EgressRecord): void {
    if (record.kind === "forgotten") return;
    this.addTotals({ [record.kind]: { messages: messageCount(record), bytes: record.bytes } });
  }

  /** The sums of other records. */
  addTotals(totals: EgressTotals): void {
    for (const kind of EGRESS_KINDS) {
      const more = totals[kind];
      if (more === undefined) continue;
      const { messages, bytes } = this.#kinds[kind] ?? { messages: 0, bytes: 0 };
      this.#kinds[kind] = { messages: messages + more.messages, bytes: bytes + more.bytes };
    }
  }

  /** By kind, in the order in which kinds are shown. */
  kinds(): EgressTotals {
    return Object.fromEntries(EGRESS_KINDS.flatMap((kind) => (this.#kinds[kind] ? [[kind, this.#kinds[kind]]] : [])));
  }

  /** Of all kinds together. */
  total(): EgressTotal {
    const all = Object.values(this.#kinds);
    const sum = (field: keyof EgressTotal): number => all.reduce((before, total) => before + total[field], 0);
    return { messages: sum("messages"), bytes: sum("bytes") };
  }
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
  "repeats",
  "messages",
] as const satisfies readonly (keyof EgressRecord)[];

/** The ledger as CSV by RFC 4180, a heading first; recipients are separated by spaces. */
export async function* egressCsv(records: AsyncIterable<EgressRecord>): AsyncGenerator<string> {
  yield `${COLUMNS.join(",")}\r\n`;
  for await (const record of records) {
    const cells = COLUMNS.map((column) => {
      const value = record[column];
      const text = value === null || value === undefined ? "" : Array.isArray(value) ? value.join(" ") : String(value);
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
