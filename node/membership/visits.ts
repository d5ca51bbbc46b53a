/** Who is let in at the connection: members always, who was removed never, everybody else for one short visit at a time. */
import type { PeerId } from "../../protocol/peer-id.ts";
import { RateLimiter } from "../exchange/rate-limiter.ts";
import type { Clock } from "../interface/clock.ts";
import type { MemberStatus } from "../interface/membership.ts";
import type { MembershipLimits } from "./membership-limits.ts";

/** What the gate asks about a peer, and what it has done to one. */
export interface VisitDependencies {
  readonly clock: Clock;
  readonly statusOf: (peer: PeerId) => MemberStatus;
  /** Whether a visitor waits for an answer to a valid request. */
  readonly isCandidate: (peer: PeerId) => boolean;
  readonly hangUp: (peer: PeerId) => void;
  /** Hang up on somebody who was a member until now, once it has been told why. */
  readonly dismiss: (peer: PeerId) => void;
}

/** The connections of one peer, and how often who is no member may come. */
export class Visits {
  readonly #dependencies: VisitDependencies;
  readonly #limits: Pick<MembershipLimits, "visitMs" | "visitorsMax">;
  readonly #strangers: RateLimiter;
  readonly #candidates: RateLimiter;
  /** Who is connected: whether it has been a visitor only, and what cancels its time. */
  readonly #present = new Map<PeerId, { wasMember: boolean; readonly cancel: () => void }>();

  constructor(
    dependencies: VisitDependencies,
    limits: Pick<
      MembershipLimits,
      "visitIntervalMs" | "candidateIntervalMs" | "visitMs" | "visitorsMax" | "visitsRememberedMax"
    >,
  ) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    const once = { burst: 1, perPeriod: 1, peersMax: limits.visitsRememberedMax };
    this.#strangers = new RateLimiter(dependencies, { ...once, periodMs: limits.visitIntervalMs });
    this.#candidates = new RateLimiter(dependencies, { ...once, periodMs: limits.candidateIntervalMs });
  }

  /** Whether a connection to or from this peer may be made now; asking changes nothing. */
  admits(peer: PeerId): boolean {
    const { statusOf, isCandidate } = this.#dependencies;
    const status = statusOf(peer);
    if (status === "member") return true;
    if (status === "removed") return false;
    const visitors = [...this.#present.keys()].filter((one) => this.#isVisitor(one)).length;
    if (visitors >= this.#limits.visitorsMax) return false;
    return (isCandidate(peer) ? this.#candidates : this.#strangers).permits(peer);
  }

  /** A connection was made; whoever is no member is shown out when its time is over. */
  begin(peer: PeerId): void {
    const { clock, hangUp } = this.#dependencies;
    this.end(peer);
    if (!this.#isVisitor(peer)) {
      this.#present.set(peer, { wasMember: true, cancel: () => {} });
      return;
    }
    this.#strangers.drain(peer);
    this.#candidates.drain(peer);
    const cancel = clock.after(this.#limits.visitMs, () => {
      if (this.#isVisitor(peer)) hangUp(peer);
    });
    this.#present.set(peer, { wasMember: false, cancel });
  }

  /** A connection is over. */
  end(peer: PeerId): void {
    this.#present.get(peer)?.cancel();
    this.#present.delete(peer);
  }

  /** Somebody may have become a member, or stopped being one: hang up on whom `admits` would not have let in. */
  review(): void {
    const { statusOf, hangUp, dismiss } = this.#dependencies;
    for (const [peer, visit] of this.#present) {
      const status = statusOf(peer);
      if (status === "member") visit.wasMember = true;
      if (status === "removed") dismiss(peer);
      if (status === "expired" && visit.wasMember) hangUp(peer);
    }
  }

  /** Wait for nobody's time any more; idempotent. */
  stop(): void {
    for (const { cancel } of this.#present.values()) cancel();
    this.#present.clear();
  }

  #isVisitor(peer: PeerId): boolean {
    return this.#dependencies.statusOf(peer) !== "member";
  }
}
