/** Connections from one address that have not shown an identity yet: a few each, so that no address takes all places. */
import { isIPv6 } from "node:net";
import type { Multiaddr } from "@multiformats/multiaddr";

/** A connection that somebody has begun. */
export interface InboundConnection {
  readonly remoteAddr: Multiaddr;
  addEventListener(type: "close", listener: () => void): void;
}

/** Counts them. */
export class PendingInbound {
  readonly #perAddressMax: number;
  readonly #counts = new Map<string, number>();
  readonly #ends = new Map<InboundConnection, () => void>();

  constructor({ perAddressMax }: { readonly perAddressMax: number }) {
    this.#perAddressMax = perAddressMax;
  }

  /** Whether there is room for one more of its address; it counts from now on until it ends or is known. */
  begin(connection: InboundConnection): boolean {
    const host = originOf(connection.remoteAddr);
    const count = this.#counts.get(host) ?? 0;
    if (count >= this.#perAddressMax) return false;
    this.#counts.set(host, count + 1);
    const end = (): void => {
      if (!this.#ends.delete(connection)) return;
      const left = (this.#counts.get(host) ?? 1) - 1;
      if (left === 0) this.#counts.delete(host);
      else this.#counts.set(host, left);
    };
    this.#ends.set(connection, end);
    connection.addEventListener("close", end);
    return true;
  }

  /** It has shown an identity. */
  known(connection: InboundConnection): void {
    this.#ends.get(connection)?.();
  }
}

/**
 * The address that counts as one: of IPv6 the network of 64 bits, which is what one customer has. What a relay carries has
 * the address of the relay.
 */
export function originOf(address: Multiaddr): string {
  const [host] = address.getComponents();
  return originOfHost(host?.value ?? address.toString());
}

/** The same of a host's name or address alone. */
export function originOfHost(host: string): string {
  if (!isIPv6(host)) return host;
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(host) ?? [];
  const [, ipv4] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host) ?? [];
  if (ipv4 !== undefined) return ipv4;
  return high === undefined || low === undefined ? network64(host) : ipv4Of(high, low);
}

/** The IPv4 address that a listener for both families shows as an IPv6 address. */
function ipv4Of(high: string, low: string): string {
  return [high, low].flatMap((half) => [Number.parseInt(half, 16) >> 8, Number.parseInt(half, 16) & 255]).join(".");
}

function network64(address: string): string {
  const [head = "", tail] = address.split("::");
  const parts = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - parts.length - rest.length);
  const groups = [...parts, ...Array.from({ length: zeros }, () => "0"), ...rest].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::`;
}
