/** How much of what one neighbour gossips about the roster is looked at: a bucket of tokens each. */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { MembershipLimits } from "./membership-limits.ts";

export interface NoteRates {
  /** Whether another note of this neighbour is looked at; counts it. */
  allows(peer: PeerId): boolean;
}

/** Neighbours whose bucket is remembered; more than are connected. */
const PEERS_MAX = 1024;

export function createNoteRates(
  { clock }: { readonly clock: Clock },
  { notesBurst, notesPerSecond }: Pick<MembershipLimits, "notesBurst" | "notesPerSecond">,
): NoteRates {
  const buckets = new Map<PeerId, { readonly tokens: number; readonly atMs: number }>();
  return {
    allows(peer) {
      const nowMs = clock.now();
      const { tokens, atMs } = buckets.get(peer) ?? { tokens: notesBurst, atMs: nowMs };
      const filled = Math.min(notesBurst, tokens + ((nowMs - atMs) / 1000) * notesPerSecond);
      const isAllowed = filled >= 1;
      buckets.delete(peer);
      buckets.set(peer, { tokens: isAllowed ? filled - 1 : filled, atMs: nowMs });
      if (buckets.size > PEERS_MAX) {
        for (const oldest of buckets.keys()) {
          buckets.delete(oldest);
          break;
        }
      }
      return isAllowed;
    },
  };
}
