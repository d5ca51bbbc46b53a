/**
 * Names of traces and spans that every peer of a network computes by itself: all peers' spans of a round stand in one trace, and
 * one peer can refer to another's round, though nothing about tracing is on the wire.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const [TRACE_BYTES, SPAN_BYTES] = [16, 8];

const digest = (words: readonly unknown[]): Uint8Array =>
  sha256(new TextEncoder().encode(JSON.stringify(["weft trace", ...words])));

/** The trace of a round: 32 hexadecimal digits. */
export function traceIdOf(networkId: string, round: number): string {
  return bytesToHex(digest([networkId, round]).subarray(0, TRACE_BYTES));
}

/** The span that a peer's whole round is: 16 hexadecimal digits. */
export function roundSpanId(networkId: string, round: number, peer: string): string {
  return bytesToHex(digest([networkId, round, peer]).subarray(0, SPAN_BYTES));
}
