/** The end of an egress ledger on disk, without reading all of it. */
import { open } from "node:fs/promises";
import { EGRESS_LINE_BYTES_MAX, type EgressRecord, parseRecord } from "../../privacy/egress-record.ts";
import { fileError, systemCode } from "./atomic-file.ts";

/** The newest records, the newest last; no ledger is an empty one. They are not held against those before them.  Throws: DATA_DIRECTORY. */
export async function egressTail(path: string, count: number): Promise<readonly EgressRecord[]> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      const bytes = new Uint8Array(Math.min(size, TAIL_BYTES_MAX));
      await file.read(bytes, 0, bytes.length, size - bytes.length);
      const lines = new TextDecoder().decode(bytes).split("\n");
      // What begins before the window is no line, and neither is what is being written.
      const whole = lines.slice(size > bytes.length ? 1 : 0, -1);
      return whole.slice(-count).flatMap((line) => parseRecord(line) ?? []);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw fileError(cause, path);
  }
}

/** Thousands of ordinary lines, and a few of the longest. */
const TAIL_BYTES_MAX = 16 * EGRESS_LINE_BYTES_MAX;
