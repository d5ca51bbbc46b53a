/** The flags by which a peer says where it listens, how others reach it and how it finds them. */
import { NodeError, type ReachOptions } from "../node/index.ts";
import type { OptionRow } from "./command-row.ts";
import { addressRange, announcedAddress, integer, listenAddress } from "./option-value.ts";

/** Values of the flags below. */
export interface ReachFlags {
  readonly listen?: readonly string[];
  readonly port?: number;
  readonly announce?: readonly string[];
  readonly outboundOnly?: boolean;
  readonly relay?: boolean;
  readonly mdns?: boolean;
  readonly table?: boolean;
  readonly netRestrict?: readonly string[];
}

/** The flags; without any of them a peer listens on this machine alone. */
export const REACH_OPTIONS: readonly OptionRow[] = [
  {
    flags: "--listen <multiaddr>",
    text: "address to listen on, such as /ip4/0.0.0.0/tcp/9000, …/tcp/9001/ws or …/udp/9000/quic-v1; may be repeated",
    parse: listenAddress,
    repeatable: true,
    otherwise: "a free port of this machine only",
  },
  {
    flags: "--port <number>",
    text: "listen on this TCP port of all interfaces; short for --listen /ip4/0.0.0.0/tcp/PORT --listen /ip6/::/tcp/PORT",
    parse: integer(1, 65_535),
  },
  {
    flags: "--announce <multiaddr>",
    text: "address that others are told to dial, such as one of a port forwarding; may be repeated",
    parse: announcedAddress,
    repeatable: true,
  },
  {
    flags: "--outbound-only",
    text: "listen on nothing; others reach this peer through members that relay, or once it has dialled them",
  },
  { flags: "--relay", text: "carry the connections of members that cannot be dialled" },
  { flags: "--mdns", text: "look for peers of this network in the local network" },
  { flags: "--table", text: "keep a part of the members' table of addresses, and look members up in it (Kademlia)" },
  {
    flags: "--net-restrict <range>",
    text: "dial and take connections within this address range only, such as 10.0.0.0/8; may be repeated",
    parse: addressRange,
    repeatable: true,
  },
];

/** Where a peer listens and how it is reached.  Throws: CONFIG_INVALID when flags contradict each other. */
export function reachOf(flags: ReachFlags, network: string): { listen: string[]; reach: ReachOptions } {
  const { listen = [], port, outboundOnly } = flags;
  const addresses = [...listen, ...(port === undefined ? [] : [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`])];
  if (outboundOnly && (addresses.length > 0 || flags.relay || flags.announce)) {
    const text = "--outbound-only listens on nothing; leave out --listen, --port, --announce and --relay";
    throw new NodeError("CONFIG_INVALID", text);
  }
  return {
    listen: addresses.length > 0 || outboundOnly ? addresses : ["/ip4/127.0.0.1/tcp/0"],
    reach: {
      ...findingOf(flags, network),
      ...(flags.announce && { announce: flags.announce }),
      ...(flags.relay && { relay: true }),
      ...(outboundOnly && { throughRelays: true }),
    },
  };
}

/** How a peer reaches others before it runs: it listens on nothing yet, whatever it is to listen on then. */
export function outwardReach(flags: ReachFlags, network: string): ReachOptions {
  return { ...findingOf(flags, network), throughRelays: true };
}

function findingOf({ mdns, table, netRestrict }: ReachFlags, network: string): ReachOptions {
  return {
    network,
    ...(mdns && { mdns: true }),
    ...(table && { table: true }),
    ...(netRestrict && { ranges: netRestrict }),
  };
}
