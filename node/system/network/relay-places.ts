/**
 * What a relaying peer gives away: places, at which it takes connections for others, and circuits, which it carries. A place is
 * for whoever it has admitted, as long as that is connected. Strangers have a part of both, and of them each address has a share.
 */
import type { Connection, PeerId as Libp2pPeerId, Stream } from "@libp2p/interface";
import type { Acquaintance } from "./acquaintance.ts";
import { originOf } from "./pending-inbound.ts";

/** How much there is of each. */
export interface RelayLimits {
  /** Peers that have a place; so many of them guests, and so many guests of one address. */
  readonly placesMax: number;
  readonly guestPlacesMax: number;
  readonly guestPlacesPerOriginMax: number;
  /** Circuits, with the requests for one; so many for guests, for guests of one address, and for one peer. */
  readonly circuitsMax: number;
  readonly guestCircuitsMax: number;
  readonly guestCircuitsPerOriginMax: number;
  readonly circuitsPerPeerMax: number;
  /** Circuits of those who are not admitted here, such as newcomers on their way to an admin; and how long each may last. */
  readonly passingMax: number;
  readonly passingPerOriginMax: number;
  readonly passingMs: number;
}

/** Of one relaying peer. A peer dials while it has fewer than 16 neighbours; 32 leave room for those that are closing. */
export const RELAY_LIMITS: RelayLimits = {
  ...{ placesMax: 64, guestPlacesMax: 48, guestPlacesPerOriginMax: 16 },
  ...{ circuitsMax: 512, guestCircuitsMax: 384, guestCircuitsPerOriginMax: 128, circuitsPerPeerMax: 32 },
  ...{ passingMax: 16, passingPerOriginMax: 2, passingMs: 60_000 },
};

/** Who has a place, and where its connection comes from. */
export type Places = () => Iterable<{ readonly peer: Libp2pPeerId; readonly origin: string }>;

/** The parts of the node that it looks at. */
export interface RelaySurroundings {
  readonly acquaintance: Acquaintance;
  readonly connectionsOf: (peer: Libp2pPeerId) => readonly Connection[];
  readonly places: Places;
}

interface Circuit {
  readonly peer: Libp2pPeerId;
  readonly origin: string;
}

/** Decides who gets what. */
export class RelayPlaces {
  readonly #around: RelaySurroundings;
  readonly #limits: RelayLimits;
  readonly #circuits = new Map<Stream, Circuit>();
  /** Those of them, by peer, that carry somebody who is not admitted: where they come from. */
  readonly #passing = new Map<string, string>();
  readonly #asking = new Set<string>();

  constructor(around: RelaySurroundings, limits: RelayLimits = RELAY_LIMITS) {
    this.#around = around;
    this.#limits = limits;
  }

  /** Whether a peer may have a place; waits for a greeting that is under way. */
  async mayReserve(peer: Libp2pPeerId): Promise<boolean> {
    const { acquaintance, connectionsOf } = this.#around;
    const name = peer.toString();
    if (this.#asking.has(name)) return false;
    this.#asking.add(name);
    try {
      if (!(await acquaintance.admits(peer, () => connectionsOf(peer).length > 0))) return false;
    } finally {
      this.#asking.delete(name);
    }
    if (acquaintance.standingOf(peer) === "known") return true;
    const [connection] = connectionsOf(peer);
    return connection !== undefined && this.#hasGuestPlace(peer, originOf(connection.remoteAddr));
  }

  /** Whether a circuit between two peers may begin, whose request `begin` has taken. */
  mayConnect(source: Libp2pPeerId, destination: Libp2pPeerId): boolean {
    const { acquaintance, connectionsOf } = this.#around;
    if (!acquaintance.isAdmitted(destination)) return false;
    if (acquaintance.isAdmitted(source)) return true;
    const [connection] = connectionsOf(source);
    const origin = connection && originOf(connection.remoteAddr);
    if (origin === undefined || this.#passing.has(source.toString())) return false;
    const { passingMax, passingPerOriginMax } = this.#limits;
    const own = [...this.#passing.values()].filter((one) => one === origin).length;
    if (this.#passing.size >= passingMax || own >= passingPerOriginMax) return false;
    this.#passing.set(source.toString(), origin);
    return true;
  }

  /** Whether there is room for one more request; it counts until its stream is closed, as does the circuit that comes of it. */
  begin(stream: Stream, { remotePeer, remoteAddr }: Connection): boolean {
    const circuit = { peer: remotePeer, origin: originOf(remoteAddr) };
    if (!this.#hasCircuit(circuit)) return false;
    this.#circuits.set(stream, circuit);
    const { acquaintance } = this.#around;
    const timer = setTimeout(() => {
      if (!acquaintance.isAdmitted(remotePeer)) stream.abort(new Error("its time is over"));
    }, this.#limits.passingMs).unref();
    stream.addEventListener("close", () => {
      clearTimeout(timer);
      this.#circuits.delete(stream);
      if (![...this.#circuits.values()].some(({ peer }) => peer.equals(remotePeer)))
        this.#passing.delete(remotePeer.toString());
    });
    return true;
  }

  #hasGuestPlace(peer: Libp2pPeerId, origin: string): boolean {
    const { acquaintance, places } = this.#around;
    const others = [...places()].filter((one) => !one.peer.equals(peer));
    const guests = others.filter((one) => acquaintance.standingOf(one.peer) !== "known");
    const own = guests.filter((one) => one.origin === origin).length;
    return guests.length < this.#limits.guestPlacesMax && own < this.#limits.guestPlacesPerOriginMax;
  }

  #hasCircuit({ peer, origin }: Circuit): boolean {
    const { acquaintance } = this.#around;
    const { circuitsMax, circuitsPerPeerMax, guestCircuitsMax, guestCircuitsPerOriginMax } = this.#limits;
    const all = [...this.#circuits.values()];
    if (all.length >= circuitsMax || all.filter((one) => one.peer.equals(peer)).length >= circuitsPerPeerMax)
      return false;
    if (acquaintance.standingOf(peer) === "known") return true;
    const guests = all.filter((one) => acquaintance.standingOf(one.peer) !== "known");
    const own = guests.filter((one) => one.origin === origin).length;
    return guests.length < guestCircuitsMax && own < guestCircuitsPerOriginMax;
  }
}
