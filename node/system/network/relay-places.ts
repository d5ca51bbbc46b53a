/**
 * What a relaying peer gives away: places, at which it takes connections for others, and circuits, which it carries. A place is
 * for whoever it has admitted, as long as that is connected. Strangers have a part of both, and of them each address has a share.
 */
import { AsyncLocalStorage } from "node:async_hooks";
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
  /** Circuits to one destination: of one peer, and of the guests of one address; others are to find room there. */
  readonly circuitsPerPairMax: number;
  readonly guestCircuitsPerDestinationMax: number;
  /** Circuits of those who are not admitted here but could be, such as members that have not greeted; and how long each may last. */
  readonly passingMax: number;
  readonly passingPerOriginMax: number;
  readonly passingMs: number;
}

/** Of one relaying peer. A peer dials while it has fewer than 16 neighbours; 32 leave room for those that are closing. */
export const RELAY_LIMITS: RelayLimits = {
  ...{ placesMax: 64, guestPlacesMax: 48, guestPlacesPerOriginMax: 16 },
  ...{ circuitsMax: 512, guestCircuitsMax: 384, guestCircuitsPerOriginMax: 128, circuitsPerPeerMax: 32 },
  ...{ circuitsPerPairMax: 2, guestCircuitsPerDestinationMax: 8 },
  ...{ passingMax: 16, passingPerOriginMax: 2, passingMs: 60_000 },
};

/** Who has a place, and where its connection comes from. */
export type Places = () => Iterable<{ readonly peer: Libp2pPeerId; readonly origin: string }>;

/** The parts of the node that it looks at. */
export interface RelaySurroundings {
  readonly acquaintance: Acquaintance;
  /** Whether a peer may be connected with this one at all; everybody may where it is absent. */
  readonly admits?: ((peer: Libp2pPeerId) => boolean) | undefined;
  readonly connectionsOf: (peer: Libp2pPeerId) => readonly Connection[];
  readonly places: Places;
}

interface Circuit {
  readonly peer: Libp2pPeerId;
  readonly origin: string;
  /** Once it is asked for. */
  destination?: Libp2pPeerId;
}

/** Decides who gets what. */
export class RelayPlaces {
  readonly #around: RelaySurroundings;
  readonly #limits: RelayLimits;
  readonly #circuits = new Map<Stream, Circuit>();
  /** The request that is being answered: libp2p asks about two peers, and not about a stream. */
  readonly #answered = new AsyncLocalStorage<Stream>();
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

  /** Answer a request that `begin` has taken. */
  answer(stream: Stream, run: () => Promise<void>): Promise<void> {
    return this.#answered.run(stream, run);
  }

  /** Whether the request that is being answered may have a circuit to a peer. */
  mayConnect(destination: Libp2pPeerId): boolean {
    const { acquaintance } = this.#around;
    const stream = this.#answered.getStore();
    const circuit = stream && this.#circuits.get(stream);
    if (circuit === undefined || !acquaintance.isAdmitted(destination)) return false;
    if (this.#around.admits?.(circuit.peer) === false) return false;
    const others = [...this.#circuits.values()].filter((one) => one !== circuit && one.destination !== undefined);
    const there = others.filter((one) => one.destination?.equals(destination));
    if (!this.#mayPass(circuit, others) || !this.#hasDestination(circuit, there)) return false;
    circuit.destination = destination;
    return true;
  }

  /** Whether there is room for one more request; it counts until its stream is closed, as does the circuit that comes of it. */
  begin(stream: Stream, { remotePeer, remoteAddr }: Connection): boolean {
    const circuit: Circuit = { peer: remotePeer, origin: originOf(remoteAddr) };
    if (!this.#hasCircuit(circuit)) return false;
    this.#circuits.set(stream, circuit);
    const { acquaintance } = this.#around;
    const timer = setTimeout(() => {
      if (!acquaintance.isAdmitted(remotePeer)) stream.abort(new Error("its time is over"));
    }, this.#limits.passingMs).unref();
    stream.addEventListener("close", () => {
      clearTimeout(timer);
      this.#circuits.delete(stream);
    });
    return true;
  }

  /** Whether somebody is admitted, or one of the few who are carried without. */
  #mayPass({ peer, origin }: Circuit, others: readonly Circuit[]): boolean {
    const { acquaintance } = this.#around;
    if (acquaintance.isAdmitted(peer)) return true;
    const passing = others.filter((one) => !acquaintance.isAdmitted(one.peer));
    const own = passing.filter((one) => one.origin === origin).length;
    const { passingMax, passingPerOriginMax } = this.#limits;
    return passing.length < passingMax && own < passingPerOriginMax && !passing.some((one) => one.peer.equals(peer));
  }

  /** there: the other circuits to the destination. */
  #hasDestination({ peer, origin }: Circuit, there: readonly Circuit[]): boolean {
    const { acquaintance } = this.#around;
    const { circuitsPerPairMax, guestCircuitsPerDestinationMax } = this.#limits;
    if (there.filter((one) => one.peer.equals(peer)).length >= circuitsPerPairMax) return false;
    if (acquaintance.standingOf(peer) === "known") return true;
    const guests = there.filter((one) => one.origin === origin && acquaintance.standingOf(one.peer) !== "known");
    return guests.length < guestCircuitsPerDestinationMax;
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
