/** Where datagrams come from and go to: an IP address and a UDP port, and the same as a multiaddr. */
import { isIPv6, SocketAddress } from "node:net";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";

/** One end of a way for datagrams. */
export interface Endpoint {
  /** An IP address; of IPv6 in the form that the system writes. */
  readonly host: string;
  readonly port: number;
}

/** Ports below are those of a machine's services; a router's translation does not begin there. */
const PORT_MIN = 1024;

/** The endpoint of `/ip4/…/udp/…` or `/ip6/…/udp/…`, and of nothing else; undefined where the port is that of a service. */
export function endpointOf(address: Multiaddr): Endpoint | undefined {
  const [host, port, ...rest] = address.getComponents();
  if (host?.value === undefined || port?.value === undefined || rest.length > 0) return undefined;
  if ((host.name !== "ip4" && host.name !== "ip6") || port.name !== "udp") return undefined;
  if (Number(port.value) < PORT_MIN) return undefined;
  return { host: plainHost(host.value), port: Number(port.value) };
}

/** `/ip4/…/udp/…` or `/ip6/…/udp/…`. */
export const addressOf = ({ host, port }: Endpoint): Multiaddr =>
  multiaddr(`/ip${isIPv6(host) ? 6 : 4}/${host}/udp/${port}`);

/** The IP address that a multiaddr begins with; undefined where it begins with a name. */
export function hostOf(address: Multiaddr): string | undefined {
  const [host] = address.getComponents();
  if (host?.value === undefined || (host.name !== "ip4" && host.name !== "ip6")) return undefined;
  return plainHost(host.value);
}

/** Whether two are the same. */
export const isSame = (a: Endpoint, b: Endpoint): boolean => a.port === b.port && a.host === b.host;

/** An IP address as the system writes it, without a zone. */
export function plainHost(host: string): string {
  const [address = host] = host.split("%");
  return isIPv6(address) ? new SocketAddress({ address, family: "ipv6" }).address : address;
}
