/** Address ranges that a peer is restricted to. */
import { BlockList, isIP } from "node:net";
import type { Multiaddr } from "@multiformats/multiaddr";
import { NodeError } from "../../errors.ts";

/** Whether an address lies in the ranges that a peer is restricted to; names are judged once they are resolved. */
export type AddressFilter = (address: Multiaddr) => boolean;

/** Throws: CONFIG_INVALID when a text is no range. */
export function addressFilter(ranges: readonly string[] | undefined): AddressFilter {
  if (ranges === undefined || ranges.length === 0) return () => true;
  const list = new BlockList();
  for (const text of ranges) addRange(list, text);
  return (address) => {
    const host = address.getComponents().find(({ name }) => name === "ip4" || name === "ip6");
    if (host?.value !== undefined) return list.check(host.value, host.name === "ip4" ? "ipv4" : "ipv6");
    // A name is judged once it is resolved, a relay by the connection to it; a socket in the file system is in no range.
    const names = address.getComponents().map(({ name }) => name);
    return names.some((name) => name.startsWith("dns") || name === "p2p-circuit");
  };
}

function addRange(list: BlockList, text: string): void {
  const { host = "", bits = "" } = /^(?<host>[^/]+)\/(?<bits>\d{1,3})$/.exec(text)?.groups ?? {};
  const version = isIP(host);
  if (version === 0 || Number(bits) > (version === 4 ? 32 : 128)) {
    throw new NodeError("CONFIG_INVALID", `${text} is no address range; give one such as 10.0.0.0/8 or fd00::/8`, {
      range: text,
    });
  }
  list.addSubnet(host, Number(bits), version === 4 ? "ipv4" : "ipv6");
}
