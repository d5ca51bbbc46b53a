/**
 * The neighbours of this peer: the peers that are past the handshake, the features and role of each, and the peers that are
 * refused for their messages. The handshake writes here, every conversation reads.
 */
import type { Feature } from "../../protocol/features.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Membership } from "../interface/membership.ts";
import type { Neighbours } from "../interface/neighbours.ts";
import type { Transport } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import type { ExchangeLimits } from "./exchange-limits.ts";
import { Listeners } from "./listeners.ts";
import { createPeerScoring, type PeerScoring } from "./peer-scoring.ts";

/** The means to look a peer up and to hang up on it. */
export interface NeighbourTableDependencies {
  readonly transport: Pick<Transport, "peer" | "hangUp">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly background: Background;
  /** Where there is a roster. */
  readonly membership?: Pick<Membership, "roleOf">;
}

/** This peer's features, the members, and the limits at which a peer is refused. */
export interface NeighbourTableOptions
  extends Pick<ExchangeLimits, "rejectsMax" | "rejectsWindowMs" | "refusalMs" | "authorsMax"> {
  /** This peer's features, by name: protocol/features.ts. */
  readonly features: readonly string[];
  /** Whether a peer belongs to the network now; asked again whenever somebody is looked up. */
  readonly isMember: (peer: PeerId) => boolean;
}

interface Neighbour {
  /** Its features, as it told them last. */
  features: readonly string[];
  /** Whether listeners know of it. */
  isTold: boolean;
}

/** Neighbours as the handshake writes them down. */
export class NeighbourTable implements Neighbours {
  readonly self: PeerId;
  readonly #dependencies: NeighbourTableDependencies;
  readonly #options: NeighbourTableOptions;
  readonly #scoring: PeerScoring;
  readonly #neighbours = new Map<PeerId, Neighbour>();
  readonly #admissions: Listeners<PeerId>;
  readonly #departures: Listeners<PeerId>;

  constructor(dependencies: NeighbourTableDependencies, options: NeighbourTableOptions) {
    this.self = dependencies.transport.peer;
    this.#dependencies = dependencies;
    this.#options = options;
    const { rejectsMax, rejectsWindowMs: windowMs, refusalMs, authorsMax: peersMax } = options;
    this.#scoring = createPeerScoring(dependencies, { rejectsMax, windowMs, refusalMs, peersMax });
    this.#admissions = new Listeners(dependencies.logger);
    this.#departures = new Listeners(dependencies.logger);
  }

  all(): readonly PeerId[] {
    return [...this.#neighbours.keys()].filter((peer) => this.has(peer)).sort();
  }

  has(peer: PeerId): boolean {
    return this.#neighbours.has(peer) && this.#options.isMember(peer);
  }

  shares(peer: PeerId, feature: Feature): boolean {
    const isTheirs = this.#neighbours.get(peer)?.features.includes(feature) === true;
    return isTheirs && this.#options.features.includes(feature) && this.has(peer);
  }

  roleOf(peer: PeerId): Role | undefined {
    const { membership } = this.#dependencies;
    // Everybody is a trainer where there is no roster.
    return membership === undefined ? "trainer" : membership.roleOf(peer);
  }

  blame(peer: PeerId): void {
    if (peer === this.self || this.refuses(peer) || !this.#scoring.blame(peer)) return;
    const { logger, background, transport } = this.#dependencies;
    logger.warn("peer refused for a while: too much of what it sent had to be rejected", { peer });
    void background.run("hanging up", () => transport.hangUp(peer));
  }

  refuses(peer: PeerId): boolean {
    return this.#scoring.refuses(peer);
  }

  onAdmitted(listener: (peer: PeerId) => void): void {
    this.#admissions.add(listener);
  }

  onLeft(listener: (peer: PeerId) => void): void {
    this.#departures.add(listener);
  }

  /** A peer is past the handshake, or has told its features again; listeners are not told yet. */
  admit(peer: PeerId, features: readonly string[]): void {
    const known = this.#neighbours.get(peer);
    if (known === undefined) this.#neighbours.set(peer, { features, isTold: false });
    else known.features = features;
  }

  /** Tell listeners of a neighbour, once. */
  announce(peer: PeerId): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined || neighbour.isTold) return;
    neighbour.isTold = true;
    this.#admissions.tell(peer);
  }

  /** A peer is no neighbour any more; listeners are told when they knew of it. */
  remove(peer: PeerId): void {
    const neighbour = this.#neighbours.get(peer);
    this.#neighbours.delete(peer);
    if (neighbour?.isTold === true) this.#departures.tell(peer);
  }

  /** Forget everybody, without telling. */
  clear(): void {
    this.#neighbours.clear();
  }
}
