/**
 * Which addresses may be dialled because somebody tells of them: a host that is an IP address or a name, with TCP or UDP,
 * and one of a private network or of this machine only where who tells of it is there too. Whoever could have any address
 * dialled would have this peer knock at what only this peer can reach.
 */
import { BlockList, isIPv4 } from "node:net";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";

/** How far an address is from this machine. */
export type AddressRange = "machine" | "private" | "public";

const HOSTS: readonly string[] = ["ip4", "ip6", "dns", "dns4", "dns6"];

const machine = new BlockList();
machine.addSubnet("127.0.0.0", 8, "ipv4");
machine.addSubnet("0.0.0.0", 8, "ipv4");
machine.addSubnet("::", 127, "ipv6");

const closed = new BlockList();
for (const [net, bits] of [
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const) {
  closed.addSubnet(net, bits, "ipv4");
}
closed.addSubnet("fc00::", 7, "ipv6");
closed.addSubnet("fe80::", 10, "ipv6");
closed.addSubnet("fec0::", 10, "ipv6");
// Groups and everybody on the link are no peer's address.
closed.addSubnet("224.0.0.0", 3, "ipv4");
closed.addSubnet("ff00::", 8, "ipv6");
// IPv4 addresses in other clothes, which a gateway may turn into those of a network that only it reaches.
for (const [net, bits] of [
  ["::", 96],
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["2002::", 16],
  ["2001::", 32],
] as const) {
  closed.addSubnet(net, bits, "ipv6");
}

/** The range of an address's first host; undefined where it is not of a form that may be dialled by hearsay. */
export function rangeOf(address: Multiaddr): AddressRange | undefined {
  const [host, port] = address.getComponents();
  if (host?.value === undefined || !HOSTS.includes(host.name)) return undefined;
  if (port?.name !== "tcp" && port?.name !== "udp") return undefined;
  if (host.name.startsWith("dns")) return /(?:^|\.)localhost\.?$/i.test(host.value) ? "machine" : "public";
  const family = isIPv4(host.value) ? "ipv4" : "ipv6";
  if (machine.check(host.value, family)) return "machine";
  return closed.check(host.value, family) ? "private" : "public";
}

/** Whether an address may be dialled on the word of somebody whose own connections come from `tellers`. */
export function isBelievable(address: string, tellers: readonly AddressRange[]): boolean {
  let range: AddressRange | undefined;
  try {
    range = rangeOf(multiaddr(address));
  } catch {
    // No multiaddr that this program knows: nothing to dial.
    return false;
  }
  if (range === undefined) return false;
  if (range === "public" || tellers.includes("machine")) return true;
  return range === "private" && tellers.includes("private");
}

/** Whether an address leads to a host on a network, be it through a relay: never to a socket in this machine's files. */
export function isOfNetwork(address: Multiaddr): boolean {
  const names = address.getComponents().map(({ name }) => name);
  if (names.includes("unix")) return false;
  return names.some((name) => HOSTS.includes(name) || name === "dnsaddr" || name === "p2p-circuit" || name === "p2p");
}
