/** Peers that sent too many rejected messages: they are refused for a while, then given another chance. */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";

/** When a peer is refused, and for how long. */
export interface PeerScoringOptions {
  /** Rejects within one window that a peer may cause. */
  readonly rejectsMax: number;
  readonly windowMs: number;
  /** How long a peer is refused after that. */
  readonly refusalMs: number;
  /** Peers that are remembered; the one heard of least recently is forgotten first. */
  readonly peersMax: number;
}

/** Rejects by peer. */
export interface PeerScoring {
  /** Hold a reject against a peer; true when the peer is refused from now on. */
  blame(peer: PeerId): boolean;
  refuses(peer: PeerId): boolean;
}

interface Record {
  readonly sinceMs: number;
  readonly rejects: number;
  readonly refusedUntilMs: number;
}

/** Nobody is blamed yet. */
export function createPeerScoring(
  { clock }: { readonly clock: Clock },
  { rejectsMax, windowMs, refusalMs, peersMax }: PeerScoringOptions,
): PeerScoring {
  // In the order of their last reject, the oldest first.
  const records = new Map<PeerId, Record>();
  const isRefused = (record: Record | undefined): boolean =>
    record !== undefined && record.refusedUntilMs > clock.now();
  return {
    refuses: (peer) => isRefused(records.get(peer)),
    blame(peer) {
      const now = clock.now();
      const known = records.get(peer);
      if (isRefused(known)) return true;
      const fresh = known === undefined || now - known.sinceMs >= windowMs;
      const rejects = fresh ? 1 : known.rejects + 1;
      const refused = rejects > rejectsMax;
      records.delete(peer);
      records.set(peer, {
        sinceMs: fresh ? now : known.sinceMs,
        rejects: refused ? 0 : rejects,
        refusedUntilMs: refused ? now + refusalMs : 0,
      });
      if (records.size > peersMax) {
        for (const oldest of records.keys()) {
          records.delete(oldest);
          break;
        }
      }
      return refused;
    },
  };
}
