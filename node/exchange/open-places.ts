/**
 * The places of a peer in a network without a roster, where keys are free: strangers take no more than a part of them, and where
 * theirs are all taken, one of the origin that has most makes room for one from elsewhere. The rest is for peers whose addresses
 * this peer was given, and for those that have delivered updates; of the latter, too, the origin that has most makes room.
 */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Transport } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import type { ExchangeLimits } from "./exchange-limits.ts";
import type { UpdateNotices } from "./update-notices.ts";

/** Where a connection comes from, and how to end it. */
export interface OpenPlacesDependencies {
  /** undefined: from nowhere in particular. */
  readonly originOf: (peer: PeerId) => string | undefined;
  readonly hangUp: (peer: PeerId) => void;
  /** Whether this peer was told where to find it. */
  readonly isGiven: (peer: PeerId) => boolean;
}

/** How many there are. */
export interface OpenPlacesLimits {
  /** Neighbours; known peers may have all of these places. */
  readonly neighboursMax: number;
  /** As many more for peers whose addresses were given. */
  readonly moreGivenMax: number;
  /** Of the places those that strangers never take. */
  readonly knownReserve: number;
  /** Strangers who are connected and have not been admitted; of them so many of one origin. */
  readonly arrivingMax: number;
  readonly arrivingPerOriginMax: number;
  /** Updates of an author that were taken, after which it is known. */
  readonly deliveriesMin: number;
  /** Authors whose deliveries are counted. */
  readonly authorsMax: number;
}

/** Half of the connections that no neighbour needs, and as much of a household's peers as may be without an identity. */
export const OPEN_PLACES: Omit<OpenPlacesLimits, "neighboursMax" | "moreGivenMax" | "knownReserve" | "authorsMax"> = {
  arrivingMax: 32,
  arrivingPerOriginMax: 16,
  deliveriesMin: 3,
};

/** The places of an exchange, which hears of deliveries. */
export function createOpenPlaces(
  {
    transport,
    background,
    notices,
    isGiven,
  }: Pick<OpenPlacesDependencies, "isGiven"> & {
    readonly transport: Pick<Transport, "originOf" | "hangUp">;
    readonly background: Background;
    readonly notices: UpdateNotices;
  },
  { neighboursMax, moreAdminsMax, authorsMax }: Pick<ExchangeLimits, "neighboursMax" | "moreAdminsMax" | "authorsMax">,
): OpenPlaces {
  const places = new OpenPlaces(
    {
      originOf: (peer) => transport.originOf(peer),
      hangUp: (peer) => void background.run("making room", () => transport.hangUp(peer)),
      isGiven,
    },
    {
      ...{ ...OPEN_PLACES, neighboursMax, authorsMax },
      ...{ moreGivenMax: moreAdminsMax, knownReserve: Math.floor(neighboursMax / 4) },
    },
  );
  notices.onNotice(({ verdict, from }) => {
    if (verdict === "accept") places.deliver(from);
  });
  return places;
}

interface Guest {
  readonly origin: string;
  isAdmitted: boolean;
}

/** Who is connected, and who has a place. */
export class OpenPlaces {
  readonly #dependencies: OpenPlacesDependencies;
  readonly #limits: OpenPlacesLimits;
  /** Everybody who is connected, the longest first. */
  readonly #guests = new Map<PeerId, Guest>();
  /** Those who delivered last come last. */
  readonly #deliveries = new Map<PeerId, number>();

  constructor(dependencies: OpenPlacesDependencies, limits: OpenPlacesLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
  }

  /** An update of this author was taken. */
  deliver(author: PeerId): void {
    const count = this.#deliveries.get(author) ?? 0;
    this.#deliveries.delete(author);
    this.#deliveries.set(author, count + 1);
    if (this.#deliveries.size <= this.#limits.authorsMax) return;
    for (const [oldest] of this.#deliveries) {
      this.#deliveries.delete(oldest);
      return;
    }
  }

  /** Whether a connection may be made; asking changes nothing. Where this peer dials by itself there is no origin. */
  admits(peer: PeerId, origin: string | undefined): boolean {
    if (origin === undefined || this.isKnown(peer) || this.#guests.has(peer)) return true;
    return this.#arrivalFor(origin) !== undefined;
  }

  /** A connection was made. */
  begin(peer: PeerId): void {
    const origin = this.#dependencies.originOf(peer) ?? peer;
    const place = this.isKnown(peer) ? "free" : this.#arrivalFor(origin);
    this.#guests.set(peer, { origin, isAdmitted: false });
    // Others may have come since the gate was asked.
    if (place === undefined) this.#showOut(peer);
    else if (place !== "free") this.#showOut(place.taken);
  }

  /** A connection is over. */
  end(peer: PeerId): void {
    this.#guests.delete(peer);
  }

  /** Whether there is a place as a neighbour for somebody who has none; asking changes nothing. */
  hasRoom(peer: PeerId): boolean {
    return this.#placeFor(peer) !== undefined;
  }

  /** Take a place as a neighbour, of a stranger if need be; whether there was one. */
  take(peer: PeerId): boolean {
    const place = this.#placeFor(peer);
    if (place === undefined) return false;
    const origin = this.#originOf(peer);
    this.#guests.set(peer, { origin, isAdmitted: true });
    if (place !== "free") this.#showOut(place.taken);
    return true;
  }

  #placeFor(peer: PeerId): Place | undefined {
    const admitted = [...this.#guests].filter(([one, { isAdmitted }]) => isAdmitted && one !== peer);
    const strangers = admitted.filter(([one]) => !this.isKnown(one));
    const { neighboursMax, moreGivenMax, knownReserve } = this.#limits;
    const isKnown = this.isKnown(peer);
    const max = neighboursMax + (this.#dependencies.isGiven(peer) ? moreGivenMax : 0);
    const isFree = admitted.length < max && (isKnown || strangers.length < neighboursMax - knownReserve);
    if (isFree) return "free";
    const origin = this.#originOf(peer);
    const [last] = isKnown ? (strangers.at(-1) ?? []) : [];
    const ofStrangers = last === undefined ? this.#spare(strangers, origin) : { taken: last };
    if (ofStrangers !== undefined) return ofStrangers;
    // Delivering is cheap, too: whoever has most keys that did makes room for others from elsewhere.
    const delivered = admitted.filter(([one]) => this.isKnown(one) && !this.#dependencies.isGiven(one));
    return this.#spare(delivered, origin);
  }

  #originOf(peer: PeerId): string {
    return this.#guests.get(peer)?.origin ?? this.#dependencies.originOf(peer) ?? peer;
  }

  /** Its place is another's from now on; that its connection is over comes later. */
  #showOut(peer: PeerId): void {
    this.#guests.delete(peer);
    this.#dependencies.hangUp(peer);
  }

  /** Whether a peer was given to this one, or has delivered. */
  isKnown(peer: PeerId): boolean {
    return this.#dependencies.isGiven(peer) || (this.#deliveries.get(peer) ?? 0) >= this.#limits.deliveriesMin;
  }

  #arrivalFor(origin: string): Place | undefined {
    const arriving = [...this.#guests].filter(([peer, { isAdmitted }]) => !isAdmitted && !this.isKnown(peer));
    const own = arriving.filter(([, guest]) => guest.origin === origin).length;
    if (own >= this.#limits.arrivingPerOriginMax) return undefined;
    return arriving.length < this.#limits.arrivingMax ? "free" : this.#spare(arriving, origin);
  }

  /** The last who came of the origin that has most, where that is more than this one would have. */
  #spare(guests: readonly (readonly [PeerId, Guest])[], origin: string): Place | undefined {
    const counts = new Map<string, number>();
    for (const [, guest] of guests) counts.set(guest.origin, (counts.get(guest.origin) ?? 0) + 1);
    const most = Math.max(0, ...counts.values());
    if (most <= (counts.get(origin) ?? 0) + 1) return undefined;
    const [taken] = guests.findLast(([, guest]) => counts.get(guest.origin) === most) ?? [];
    return taken && { taken };
  }
}

type Place = "free" | { readonly taken: PeerId };
