/**
 * What is dialled because somebody tells of it. A name is judged by the addresses that it leads to, and these are dialled, not
 * the name. What the library dials by itself (a table of addresses, a relay, a hole punch) is on hearsay, too.
 */
import { lookup } from "node:dns/promises";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { type AddressRange, isBelievable, rangeOf } from "./hearsay-range.ts";
import { isRelayed, relayOf } from "./relayed-address.ts";

/** The addresses of a name.  family: 4, 6, or 0 for both.  Throws: what the system says. */
export type LookUp = (
  name: string,
  family: 0 | 4 | 6,
) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** The system's own way to look names up. */
const systemLookUp: LookUp = (name, family) => lookup(name, { all: true, family });

/** Addresses of which it is remembered who told of them. */
const TOLD_MAX = 1024;

/** Judges dials of one node. */
export class HearsayDial {
  readonly #lookUp: LookUp;
  /** By address: where those are that told of it. The oldest is forgotten first. */
  readonly #told = new Map<string, ReadonlySet<AddressRange>>();
  /** Connected peers of which all addresses that they say they have are of this machine. */
  readonly #onMachine = new Set<string>();
  /** What is dialled now because this peer decided to, and how often. */
  readonly #decided = new Map<string, number>();
  #surroundings: () => { readonly connections: readonly Multiaddr[]; readonly own: readonly Multiaddr[] } = () => ({
    connections: [],
    own: [],
  });

  constructor(lookUp: LookUp = systemLookUp) {
    this.#lookUp = lookUp;
  }

  /** Connections of the node and its own addresses, as they are at any time. */
  attach(surroundings: () => { readonly connections: readonly Multiaddr[]; readonly own: readonly Multiaddr[] }): void {
    this.#surroundings = surroundings;
  }

  /** A connected peer says where it listens. */
  listens(peer: string, addresses: readonly Multiaddr[]): void {
    const isHere = addresses.length > 0 && addresses.every((address) => rangeOf(address) === "machine");
    if (isHere) this.#onMachine.add(peer);
    else this.#onMachine.delete(peer);
  }

  /** A peer is connected no more. */
  left(peer: string): void {
    this.#onMachine.delete(peer);
  }

  /**
   * Where somebody is, by the address of its connection; undefined where that shows nothing. Whom a relay carries may be wherever the
   * relay can be reached, whatever way leads from here to the relay: on this machine only where the relay listens nowhere else.
   */
  tellerOf(from: Multiaddr): AddressRange | undefined {
    if (!isRelayed(from)) return rangeOf(from);
    const isHere = rangeOf(from) === "machine" && this.#onMachine.has(relayOf(from) ?? "");
    return isHere ? "machine" : "public";
  }

  /** Of addresses that somebody whose connections come from `tellers` tells of, those that may be dialled; they are noted. */
  believable(addresses: readonly string[], tellers: readonly AddressRange[]): readonly string[] {
    const believed = addresses.filter((address) => isBelievable(address, tellers));
    for (const address of believed) {
      const before = this.#told.get(address) ?? [];
      this.#told.delete(address);
      this.#told.set(address, new Set([...before, ...tellers]));
      const [oldest] = this.#told.keys();
      if (this.#told.size > TOLD_MAX && oldest !== undefined) this.#told.delete(oldest);
    }
    return believed;
  }

  /** Where everybody is who may have told of something: one connection from elsewhere, and nobody is believed as a local. */
  tellersNow(): readonly AddressRange[] {
    const { connections } = this.#surroundings();
    const ranges = connections.flatMap((address) => this.tellerOf(address) ?? []);
    if (connections.length === 0) return this.nearby();
    if (ranges.length === 0 || ranges.includes("public")) return ["public"];
    return ranges.includes("private") ? ["private"] : ["machine"];
  }

  /** Where this peer is itself: on this machine alone only if it has no other address. */
  nearby(): readonly AddressRange[] {
    const ranges = this.#surroundings().own.flatMap((address) => rangeOf(address) ?? []);
    const beyond = ranges.filter((range) => range !== "machine");
    return beyond.length > 0 ? beyond : ranges;
  }

  /** What is dialled at an address that somebody told of; none where it leads to what nobody may have this peer dial. */
  async targets(address: string): Promise<readonly Multiaddr[]> {
    const tellers = [...(this.#told.get(address) ?? this.tellersNow())];
    if (!isBelievable(address, tellers)) return [];
    const target = multiaddr(address);
    const [host] = target.getComponents();
    if (host?.value === undefined || !host.name.startsWith("dns")) return [target];
    const found = await this.#lookUp(host.value, host.name === "dns4" ? 4 : host.name === "dns6" ? 6 : 0);
    const rest = target.toString().slice(`/${host.name}/${host.value}`.length);
    const all = found.map(({ address: ip, family }) => `/ip${family === 6 ? 6 : 4}/${ip}${rest}`);
    const allowed = all.filter((one) => isBelievable(one, tellers));
    // A certificate is for the name: it is dialled by its name, where all of it may be.
    if (isByName(target)) return allowed.length > 0 && allowed.length === all.length ? [target] : [];
    return allowed.map((one) => multiaddr(one));
  }

  /** Dial what this peer has decided to dial. */
  async decided<T>(targets: readonly Multiaddr[], dial: () => Promise<T>): Promise<T> {
    const names = targets.map(String);
    for (const name of names) this.#decided.set(name, (this.#decided.get(name) ?? 0) + 1);
    try {
      return await dial();
    } finally {
      for (const name of names) {
        const left = (this.#decided.get(name) ?? 1) - 1;
        if (left === 0) this.#decided.delete(name);
        else this.#decided.set(name, left);
      }
    }
  }

  /** Whether the library may dial an address: this peer has decided to, or anybody who may have told of it is believed. */
  permits(address: Multiaddr): boolean {
    const text = address.toString();
    // The way to a relay is a part of the address; what a record in the name service stands for is dialled in its place.
    const isDecided = [...this.#decided.keys()].some(
      (one) => one === text || one.startsWith(`${text}/`) || text.startsWith(`${one}/`) || one.startsWith("/dnsaddr/"),
    );
    return isDecided || (!isNamed(address) && this.mayTell(address));
  }

  /** Whether anybody is believed who may have told of an address; of a name nothing is known. */
  mayTell(address: Multiaddr): boolean {
    return isBelievable(address.toString(), this.tellersNow());
  }
}

/** Whether the other side shows a certificate for its name. */
const isByName = (address: Multiaddr): boolean =>
  address.getComponents().some(({ name }) => name === "tls" || name === "wss" || name === "sni");

const isNamed = (address: Multiaddr): boolean => address.getComponents()[0]?.name.startsWith("dns") === true;
