/** Sites behind routers of the usual kinds, and a relaying member at a public address: network namespaces of Linux. */
import { type ExecFileSyncOptions, execFileSync } from "node:child_process";

/**
 * How a router translates addresses, as RFC 4787 tells them apart. full-cone: whatever comes to it goes to the site.
 * address-restricted: what comes from an address that was written to. port-restricted: what comes from an address and port that was
 * written to. symmetric: each connection goes out by a port of its own, and only its other end gets in.
 */
export const NAT_KINDS = ["full-cone", "address-restricted", "port-restricted", "symmetric"] as const;
/** One of NAT_KINDS. */
export type NatKind = (typeof NAT_KINDS)[number];

/** Where the relay is; that counts as public. */
export const RELAY_ADDRESS = "11.7.0.2";

/** Namespaces, until they are removed. */
export interface NatHosts {
  /** Words to put before a command, so that it runs at the relay, or on the site with that number. */
  on(host: "relay" | number): readonly string[];
  /** The address of a site on its own network. */
  addressOf(site: number): string;
  /** The public address of a site's router. */
  routerOf(site: number): string;
  remove(): void;
}

/** Make the hosts: a site behind a router for each of `kinds`. Needs root, ip and nft. */
export function createNatHosts(kinds: readonly NatKind[]): NatHosts {
  const prefix = `weft-nat-${process.pid}`;
  const made: string[] = [];
  const quiet: ExecFileSyncOptions = { stdio: ["ignore", "ignore", "pipe"] };
  const name = (host: "relay" | number): string => (host === "relay" ? host : `site-${host}`);
  const addressOf = (site: number): string => `10.${77 + site}.0.2`;
  const routerOf = (site: number): string => `11.7.0.${4 + site}`;
  const on = (host: string): readonly string[] => ["netns", "exec", `${prefix}-${host}`];
  const run = (host: string, words: string): void => void execFileSync("ip", [...on(host), ...words.split(" ")], quiet);
  const add = (host: string): void => {
    execFileSync("ip", ["netns", "add", `${prefix}-${host}`], quiet);
    made.push(`${prefix}-${host}`);
    run(host, "ip link set lo up");
  };
  const remove = (): void => {
    for (const host of made.splice(0)) execFileSync("ip", ["netns", "delete", host], quiet);
  };
  const plug = (host: string, address: string): void => {
    add(host);
    run(host, `ip link add wan type veth peer name ${host} netns ${prefix}-switch`);
    run(host, "ip link set wan up");
    run("switch", `ip link set ${host} up`);
    run("switch", `ip link set ${host} master bridge`);
    run(host, `ip address add ${address}/24 dev wan`);
  };
  try {
    add("switch");
    run("switch", "ip link add name bridge type bridge");
    run("switch", "ip link set bridge up");
    plug("relay", RELAY_ADDRESS);
    for (const [i, kind] of kinds.entries()) {
      const router = `router-${i}`;
      const inside = addressOf(i).replace(/\.2$/, ".1");
      plug(router, routerOf(i));
      add(name(i));
      run(name(i), `ip link add wan type veth peer name inside netns ${prefix}-${router}`);
      run(name(i), "ip link set wan up");
      run(router, "ip link set inside up");
      run(name(i), `ip address add ${addressOf(i)}/24 dev wan`);
      run(router, `ip address add ${inside}/24 dev inside`);
      run(name(i), `ip route add default via ${inside}`);
      run(router, "sysctl -qw net.ipv4.ip_forward=1");
      for (const rule of rulesOf(kind, addressOf(i))) execFileSync("ip", [...on(router), "nft", rule], quiet);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { on: (host) => ["ip", ...on(name(host))], addressOf, routerOf, remove };
}

/** Rules of nft. A router answers nothing that comes to itself from outside, as those that are sold do. */
function rulesOf(kind: NatKind, site: string): readonly string[] {
  return [
    "add table ip nat",
    "add chain ip nat out { type nat hook postrouting priority 100 ; }",
    "add chain ip nat in { type nat hook prerouting priority -100 ; }",
    "add chain ip nat own { type filter hook input priority 0 ; policy drop ; }",
    "add chain ip nat through { type filter hook forward priority 0 ; policy drop ; }",
    ...(kind === "address-restricted"
      ? [
          "add set ip nat written { type ipv4_addr ; flags dynamic,timeout ; timeout 2m ; }",
          "add rule ip nat through iifname inside update @written { ip daddr }",
          `add rule ip nat in iifname wan ip saddr @written dnat to ${site}`,
          "add rule ip nat through iifname wan ip saddr @written accept",
        ]
      : []),
    "add rule ip nat through iifname inside accept",
    "add rule ip nat through ct state established,related accept",
    `add rule ip nat out oifname wan masquerade${kind === "symmetric" ? " fully-random" : ""}`,
    ...(kind === "full-cone"
      ? [`add rule ip nat in iifname wan dnat to ${site}`, "add rule ip nat through iifname wan accept"]
      : []),
  ];
}
