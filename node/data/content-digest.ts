/** By what an example is known again, whatever file, form, frame or length it comes in: a digest of what it says. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type DataRecord, questionOf } from "./record.ts";

/** Digits of a digest: 64 bits, so that among a hundred million examples two are alike by chance once in 3,700 times. */
export const DIGEST_DIGITS = 16;

/** The first 64 bits of SHA-256 of question and answer, or of all turns, without white space around them; hexadecimal. */
export function contentDigest(record: DataRecord): string {
  return bytesToHex(sha256(new TextEncoder().encode(contentOf(record))).subarray(0, DIGEST_DIGITS / 2));
}

/** Where a digest stands between 0 and 1: evenly spread, and the same everywhere. */
export function contentShare(digest: string): number {
  return Number.parseInt(digest.slice(0, 12), 16) / 2 ** 48;
}

function contentOf(record: DataRecord): string {
  const { conversation, response } = record;
  if (conversation === undefined) return JSON.stringify([questionOf(record).trim(), response.trim()]);
  const { messages, tools, learntFrom } = conversation;
  const turns = messages.map(({ role, content, more }) => [role, content.trim(), ...(more ? [more] : [])]);
  return JSON.stringify([turns, ...(tools ? [tools] : []), ...(learntFrom > 0 ? [learntFrom] : [])]);
}
