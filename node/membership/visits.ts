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
  /** The key of the invite by which a visitor waits for an answer to a valid request. */
  readonly inviteOf: (peer: PeerId) => string | undefined;
  readonly hangUp: (peer: PeerId) => void;
  /** Hang up on somebody who was a member until now, once it has been told why. */
  readonly dismiss: (peer: PeerId) => void;
}

/** One connection. */
interface Visit {
  /** Whether it has been a member since it came. */
  wasMember: boolean;
  /** Where it comes from; who comes from nowhere in particular stands alone. */
  readonly origin: string;
  /** Key of the invite that it has shown. */
  invite: string | undefined;
  /** Whether its time was made longer, so that it can show what its certificate rests on. */
  hasLingered: boolean;
  /** Whether it is being shown out, and takes no place any more. */
  isLeaving: boolean;
  cancel: () => void;
}

type VisitLimits = Pick<MembershipLimits, "visitMs" | "visitSilenceMs" | "visitorsMax" | "visitorsPerOriginMax">;

/**
 * The connections of one peer, and how often who is no member may come. A visitor that shows nothing is shown out after a short
 * time. When all places are taken, such a visitor makes room for one from elsewhere, of the origin that has most of them.
 */
export class Visits {
  readonly #dependencies: VisitDependencies;
  readonly #limits: VisitLimits;
  readonly #strangers: RateLimiter;
  readonly #candidates: RateLimiter;
  /** Who is connected, the longest first. */
  readonly #present = new Map<PeerId, Visit>();

  constructor(
    dependencies: VisitDependencies,
    limits: VisitLimits & Pick<MembershipLimits, "visitIntervalMs" | "candidateIntervalMs" | "visitsRememberedMax">,
  ) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    const once = { burst: 1, perPeriod: 1, peersMax: limits.visitsRememberedMax };
    this.#strangers = new RateLimiter(dependencies, { ...once, periodMs: limits.visitIntervalMs });
    this.#candidates = new RateLimiter(dependencies, { ...once, periodMs: limits.candidateIntervalMs });
  }

  /** Whether a connection to or from this peer may be made now; asking changes nothing. */
  admits(peer: PeerId, origin: string = peer): boolean {
    const { statusOf, inviteOf } = this.#dependencies;
    const status = statusOf(peer);
    if (status === "member") return true;
    if (status === "removed" || this.#placeFor(origin) === undefined) return false;
    return (inviteOf(peer) === undefined ? this.#strangers : this.#candidates).permits(peer);
  }

  /** A connection was made; whoever is no member is shown out when its time is over. */
  begin(peer: PeerId, origin: string = peer): void {
    this.end(peer);
    const isMember = !this.#isVisitor(peer);
    const fresh = { origin, invite: undefined, hasLingered: false, isLeaving: false, cancel: () => {} };
    const visit: Visit = { wasMember: isMember, ...fresh };
    if (isMember) {
      this.#present.set(peer, visit);
      return;
    }
    this.#strangers.drain(peer);
    this.#candidates.drain(peer);
    // Others may have come since the gate was asked.
    const place = this.#placeFor(origin);
    this.#present.set(peer, visit);
    this.#listen(peer, visit);
    if (place === undefined) this.#showOut(peer);
    else if (place !== "free") this.#showOut(place.taken);
  }

  /** A visitor has shown an invite, by its key: it may stay until its time is over. */
  show(peer: PeerId, invite: string): void {
    const visit = this.#present.get(peer);
    if (visit !== undefined) visit.invite = invite;
  }

  /** A visitor was told what has become of its request: it has come for nothing else, and leaves its place to others. */
  finish(peer: PeerId): void {
    const visit = this.#present.get(peer);
    if (visit === undefined || !this.#isVisitor(peer)) return;
    visit.cancel();
    visit.cancel = this.#dependencies.clock.after(this.#limits.visitSilenceMs, () => this.#part(peer));
  }

  /** A visitor has shown a certificate of which nothing was heard, and is asked for more: it has time for that, once. */
  linger(peer: PeerId): void {
    const visit = this.#present.get(peer);
    if (visit === undefined || visit.hasLingered || !this.#isVisitor(peer)) return;
    visit.hasLingered = true;
    visit.cancel();
    this.#listen(peer, visit);
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

  /** Wait for what a visitor shows, and then for the end of its time. */
  #listen(peer: PeerId, visit: Visit): void {
    const { clock } = this.#dependencies;
    const { visitMs, visitSilenceMs } = this.#limits;
    visit.cancel = clock.after(visitSilenceMs, () => {
      if (this.#inviteOf(peer, visit) === undefined) this.#part(peer);
      else visit.cancel = clock.after(visitMs - visitSilenceMs, () => this.#part(peer));
    });
  }

  #part(peer: PeerId): void {
    if (this.#isVisitor(peer)) this.#showOut(peer);
  }

  #showOut(peer: PeerId): void {
    const visit = this.#present.get(peer);
    if (visit !== undefined) visit.isLeaving = true;
    this.#dependencies.hangUp(peer);
  }

  /** The place of one more visitor: free, or of one that shows nothing and has to go for it; undefined: there is none. */
  #placeFor(origin: string): "free" | { readonly taken: PeerId } | undefined {
    const { visitorsMax, visitorsPerOriginMax } = this.#limits;
    const visitors = [...this.#present].filter(([peer, { isLeaving }]) => !isLeaving && this.#isVisitor(peer));
    const counts = new Map<string, number>();
    for (const [, { origin: one }] of visitors) counts.set(one, (counts.get(one) ?? 0) + 1);
    const own = counts.get(origin) ?? 0;
    if (own >= visitorsPerOriginMax) return undefined;
    if (visitors.length < visitorsMax) return "free";
    const spare = this.#sparable(visitors);
    const countOf = ([, visit]: readonly [PeerId, Visit]): number => counts.get(visit.origin) ?? 0;
    const most = Math.max(0, ...spare.map(countOf));
    const [taken] = spare.find((one) => countOf(one) === most && most > own + 1) ?? [];
    return taken && { taken };
  }

  /** Who has shown nothing, or an invite that as many others have shown before it as come from one address. */
  #sparable(visitors: readonly (readonly [PeerId, Visit])[]): readonly (readonly [PeerId, Visit])[] {
    const shown = new Map<string, number>();
    return visitors.filter(([peer, visit]) => {
      const invite = this.#inviteOf(peer, visit);
      if (invite === undefined) return true;
      const before = shown.get(invite) ?? 0;
      shown.set(invite, before + 1);
      return before >= this.#limits.visitorsPerOriginMax;
    });
  }

  #inviteOf(peer: PeerId, { invite }: Visit): string | undefined {
    return invite ?? this.#dependencies.inviteOf(peer);
  }

  #isVisitor(peer: PeerId): boolean {
    return this.#dependencies.statusOf(peer) !== "member";
  }
}
