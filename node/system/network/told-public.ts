/** The public addresses at which a libp2p node listens or which it announces, and who can judge them. */
import type { Multiaddr } from "@multiformats/multiaddr";
import { multiaddr } from "@multiformats/multiaddr";
import type { PeerId } from "../../../protocol/peer-id.ts";
import type { PublicAddress, ToldAddresses } from "../../interface/told-addresses.ts";
import type { Link } from "../../interface/transport.ts";
import { rangeOf } from "./hearsay-range.ts";
import { originOf } from "./pending-inbound.ts";
import { isRelayed } from "./relayed-address.ts";

/** The parts of the node that know. */
export interface ToldSurroundings {
  readonly self: PeerId;
  /** Whether a person has said what is told. */
  readonly isAnnounced: boolean;
  /** What others are told now. */
  readonly told: () => readonly Multiaddr[];
  /** Where the node listens. */
  readonly places: () => readonly Multiaddr[];
  readonly setTold: (address: Multiaddr, isTold: boolean) => void;
  readonly links: () => readonly Link[];
  /** Where a connected peer says it can be dialled. */
  readonly addressesOf: (peer: PeerId) => Promise<readonly string[]>;
}

/** Looks at the node whenever it is asked. */
export class ToldPublic implements ToldAddresses {
  readonly #around: ToldSurroundings;

  constructor(around: ToldSurroundings) {
    this.#around = around;
  }

  all(): readonly PublicAddress[] {
    const { self, isAnnounced, told, places } = this.#around;
    const own = (isAnnounced ? told() : places()).filter(isPublic);
    const named = own.map(String).map((text) => (text.endsWith(`/p2p/${self}`) ? text : `${text}/p2p/${self}`));
    return [...new Set(named)].map((address) => ({ address, isAnnounced }));
  }

  tell(address: string, isTold: boolean): void {
    const { isAnnounced, self, setTold } = this.#around;
    if (!isAnnounced) setTold(multiaddr(address.slice(0, -`/p2p/${self}`.length)), isTold);
  }

  async mayJudge(peer: PeerId, address: string): Promise<boolean> {
    const target = multiaddr(address);
    const links = this.#around.links().filter((link) => link.peer === peer && !link.isRelayed);
    const ends = links.map((link) => multiaddr(link.address));
    // Behind the same router a good address may lead nowhere.
    const isElsewhere = ends.every((end) => rangeOf(end) === "public" && originOf(end) !== originOf(target));
    if (ends.length === 0 || !isElsewhere) return false;
    const used = [...ends, ...(await this.#around.addressesOf(peer)).map((text) => multiaddr(text)).filter(isPublic)];
    return used.some((one) => isOfKind(one, target));
  }
}

const isPublic = (address: Multiaddr): boolean => !isRelayed(address) && rangeOf(address) === "public";

/** Whether a peer that uses one address can dial the other: the same network and the same transport; a name leads to any. */
function isOfKind(used: Multiaddr, target: Multiaddr): boolean {
  const [usedHost, usedPort] = used.getComponents();
  const [host, port] = target.getComponents();
  return usedPort?.name === port?.name && (host?.name.startsWith("dns") === true || usedHost?.name === host?.name);
}
