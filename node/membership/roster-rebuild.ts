/** A roster rebuilt from the genesis and the bytes of its entries alone, whoever gives them. */
import { END_OF_TIME } from "../../protocol/membership/entry.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { RosterLog } from "../../protocol/membership/roster-log.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";

/** Some entries of a roster as they are stored, in the order in which they entered. */
export interface StoredEntries {
  /** Place in that order, and bytes. */
  readonly entries: readonly { readonly place: number; readonly bytes: Uint8Array }[];
  /** Where to go on; undefined when these were the last. */
  readonly next: number | undefined;
  /** Of the state that who gives them has of all entries so far (see RosterState); undefined where nobody says. */
  readonly digest: string | undefined;
}

export interface RebuiltRoster {
  readonly log: RosterLog;
  /** Stored entries that did not enter again, with the reason in words. */
  readonly refused: readonly string[];
  /** Digest that is claimed for the same entries, where one is. */
  readonly claimed: string | undefined;
}

/**
 * Take every entry anew, each signature verified and each rule of 10.4 looked at. `read` gives the entries from a place on.
 * Throws: GENESIS_INVALID; what `read` throws.
 */
export async function rebuildRoster(
  read: (from: number) => Promise<StoredEntries>,
  { genesis, verify }: { readonly genesis: Genesis; readonly verify: VerifySignature },
): Promise<RebuiltRoster> {
  const log = new RosterLog(genesis, { verify });
  const refused: string[] = [];
  for (let from = 0; ; ) {
    const { entries, next, digest } = await read(from);
    for (const { place, bytes } of entries) {
      const result = log.add(bytes, END_OF_TIME);
      if (result.outcome === "refused") refused.push(`entry ${place}: ${result.text}`);
      if (result.outcome === "pending") refused.push(`entry ${place}: an entry that it follows is missing`);
    }
    if (next === undefined) return { log, refused, claimed: digest };
    if (next <= from) throw new RangeError(`entries from ${from} on end at ${next}`);
    from = next;
  }
}
