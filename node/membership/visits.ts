/** Who is let in at the connection: members always, who was removed never, everybody else for one short visit at a time. */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Standing } from "../interface/membership.ts";
import type { MembershipLimits } from "./membership-limits.ts";

export interface VisitDependencies {
  readonly clock: Clock;
  readonly standingOf: (peer: PeerId) => Standing;
  /** Whether a visitor waits for an answer to a valid request. */
  readonly isCandidate: (peer: PeerId) => boolean;
  readonly hangUp: (peer: PeerId) => void;
  /** Hang up on who was a member until now, once it has been told why. */
  readonly dismiss: (peer: PeerId) => void;
}

export interface Visits {
  /** Whether a connection to or from this peer may be made now; asking changes nothing. */
  admits(peer: PeerId): boolean;
  /** A connection was made; whoever is no member is shown out when its time is over. */
  begin(peer: PeerId): void;
  end(peer: PeerId): void;
  /** Somebody may have become a member, or stopped being one: hang up on whom `admits` would not have let in. */
  review(): void;
  /** Idempotent. */
  stop(): void;
}

export function createVisits(
  { clock, standingOf, isCandidate, hangUp, dismiss }: VisitDependencies,
  limits: Pick<
    MembershipLimits,
    "visitIntervalMs" | "candidateIntervalMs" | "visitMs" | "visitorsMax" | "visitsRememberedMax"
  >,
): Visits {
  /** When somebody who was no member came last, the oldest first. */
  const lastMs = new Map<PeerId, number>();
  const present = new Map<PeerId, () => void>();
  const isVisitor = (peer: PeerId): boolean => standingOf(peer) !== "member";

  return {
    admits(peer) {
      const standing = standingOf(peer);
      if (standing === "member") return true;
      if (standing === "removed") return false;
      const visitors = [...present.keys()].filter(isVisitor).length;
      if (visitors >= limits.visitorsMax) return false;
      const interval = isCandidate(peer) ? limits.candidateIntervalMs : limits.visitIntervalMs;
      return clock.now() - (lastMs.get(peer) ?? Number.NEGATIVE_INFINITY) >= interval;
    },
    begin(peer) {
      if (!isVisitor(peer)) {
        present.set(peer, () => {});
        return;
      }
      lastMs.delete(peer);
      lastMs.set(peer, clock.now());
      if (lastMs.size > limits.visitsRememberedMax) {
        for (const oldest of lastMs.keys()) {
          lastMs.delete(oldest);
          break;
        }
      }
      present.get(peer)?.();
      present.set(
        peer,
        clock.after(limits.visitMs, () => {
          if (isVisitor(peer)) hangUp(peer);
        }),
      );
    },
    end(peer) {
      present.get(peer)?.();
      present.delete(peer);
    },
    review() {
      for (const peer of present.keys()) {
        const standing = standingOf(peer);
        if (standing === "removed") dismiss(peer);
        if (standing === "expired" && !lastMs.has(peer)) hangUp(peer);
      }
    },
    stop() {
      for (const cancel of present.values()) cancel();
      present.clear();
    },
  };
}
