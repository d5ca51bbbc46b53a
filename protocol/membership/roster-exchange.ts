/** How two peers come to hold the same entries: each names the entries that it holds, and gets those that it lacks. */
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";
import { decodeCanonical, encodeCanonical } from "../canonical-message.ts";
import { DIGEST_BYTES } from "../content-id.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type EntryId, encodeEntry, entryIdToBytes } from "./entry.ts";
import { RosterEntriesSchema, RosterInventorySchema } from "./membership_pb.ts";
import type { RosterLog } from "./roster-log.ts";

/** Names of entries in rising order, 32 bytes each, one after the other. */
export const entryNames = (ids: readonly EntryId[]): Uint8Array => concatBytes(...ids.toSorted().map(entryIdToBytes));

/** Read such names.  Throws: MALFORMED, TOO_LARGE when there are more than `countMax`. */
export function entryNamesFrom(names: Uint8Array, countMax: number): readonly EntryId[] {
  const count = names.length / DIGEST_BYTES;
  if (!Number.isInteger(count))
    throw new ProtocolError("MALFORMED", `names of entries have ${DIGEST_BYTES} bytes each`);
  if (count > countMax) throw new ProtocolError("TOO_LARGE", "too many names of entries", { count, countMax });
  const ids = Array.from(
    { length: count },
    (_, i) => bytesToHex(names.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES)) as EntryId,
  );
  if (ids.some((id, i) => i > 0 && ids[i - 1]! >= id)) {
    throw new ProtocolError("MALFORMED", "names of entries are not in rising order");
  }
  return ids;
}

/** The names of all entries of a log. */
export function encodeInventory(log: RosterLog): Uint8Array {
  return encodeCanonical(RosterInventorySchema, { names: entryNames(log.entries().map(({ id }) => id)) });
}

/** The names that another peer holds.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL. */
export function decodeInventory(bytes: Uint8Array): ReadonlySet<EntryId> {
  const { names } = decodeCanonical(RosterInventorySchema, bytes, LIMITS.rosterMessageBytesMax);
  return new Set(entryNamesFrom(names, LIMITS.rosterEntryCountMax));
}

/** The entries that a peer with this inventory lacks, parents before children, in messages of LIMITS.rosterMessageBytesMax. */
export function encodeMissing(log: RosterLog, known: ReadonlySet<EntryId>): readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  let entries: Uint8Array[] = [];
  let bytes = 0;
  for (const entry of log.entries()) {
    if (known.has(entry.id)) continue;
    const encoded = encodeEntry(entry);
    const framed = encoded.length + FRAMING_BYTES;
    if (bytes + framed > LIMITS.rosterMessageBytesMax) {
      messages.push(encodeCanonical(RosterEntriesSchema, { entries }));
      [entries, bytes] = [[], 0];
    }
    entries.push(encoded);
    bytes += framed;
  }
  return entries.length === 0 ? messages : [...messages, encodeCanonical(RosterEntriesSchema, { entries })];
}

/** The entries of one such message, to be offered to a log one by one.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL. */
export function decodeEntries(bytes: Uint8Array): readonly Uint8Array[] {
  return decodeCanonical(RosterEntriesSchema, bytes, LIMITS.rosterMessageBytesMax).entries;
}

/** Tag and length of an entry of at most LIMITS.rosterEntryBytesMax. */
const FRAMING_BYTES = 3;
