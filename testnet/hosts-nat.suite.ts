/** Two sites behind routers of a given kind, and a relaying member at a public address: network namespaces of Linux. */
import { type ExecFileSyncOptions, execFileSync } from "node:child_process";

/**
 * How a router translates addresses. full-cone: whatever comes to it goes to the site. restricted: the port stays the same, and only
 * who was written to gets in. symmetric: each connection goes out by a port of its own, and only its other end gets in.
 */
export type NatKind = "full-cone" | "restricted" | "symmetric";

/** Namespaces, until they are removed. */
export interface NatHosts {
  /** Words to put before a command, so that it runs on a host. */
  on(host: NatHost): readonly string[];
  remove(): void;
}

export type NatHost = "relay" | "alice" | "bob";

/** Where each host is; that of the relay counts as public. */
export const NAT_ADDRESS: Readonly<Record<NatHost, string>> = {
  relay: "11.7.0.2",
  alice: "10.77.0.2",
  bob: "10.78.0.2",
};

/** Make the hosts; `kinds` of alice's and of bob's router. Needs root, ip and nft. */
export function createNatHosts(kinds: readonly [alice: NatKind, bob: NatKind]): NatHosts {
  const prefix = `weft-nat-${process.pid}`;
  const made: string[] = [];
  const quiet: ExecFileSyncOptions = { stdio: ["ignore", "ignore", "pipe"] };
  const add = (host: string): void => {
    execFileSync("ip", ["netns", "add", `${prefix}-${host}`], quiet);
    made.push(`${prefix}-${host}`);
    run(host, "ip link set lo up");
  };
  const run = (host: string, words: string): void =>
    void execFileSync("ip", ["netns", "exec", `${prefix}-${host}`, ...words.split(" ")], quiet);
  const nft = (host: string, rule: string): void =>
    void execFileSync("ip", ["netns", "exec", `${prefix}-${host}`, "nft", rule], quiet);
  const remove = (): void => {
    for (const name of made.splice(0)) execFileSync("ip", ["netns", "delete", name], quiet);
  };
  try {
    add("switch");
    run("switch", "ip link add name bridge type bridge");
    run("switch", "ip link set bridge up");
    const plug = (host: string, address: string): void => {
      add(host);
      run(host, `ip link add wan type veth peer name ${host} netns ${prefix}-switch`);
      run(host, "ip link set wan up");
      run("switch", `ip link set ${host} up`);
      run("switch", `ip link set ${host} master bridge`);
      run(host, `ip address add ${address}/24 dev wan`);
    };
    plug("relay", NAT_ADDRESS.relay);
    for (const [i, site] of (["alice", "bob"] as const).entries()) {
      const router = `router-${i}`;
      plug(router, `11.7.0.${4 + i}`);
      add(site);
      run(site, `ip link add wan type veth peer name inside netns ${prefix}-${router}`);
      run(site, "ip link set wan up");
      run(router, "ip link set inside up");
      const inside = NAT_ADDRESS[site].replace(/\.2$/, ".1");
      run(site, `ip address add ${NAT_ADDRESS[site]}/24 dev wan`);
      run(router, `ip address add ${inside}/24 dev inside`);
      run(site, `ip route add default via ${inside}`);
      run(router, "sysctl -qw net.ipv4.ip_forward=1");
      for (const rule of rulesOf(kinds[i] ?? "restricted", NAT_ADDRESS[site])) nft(router, rule);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { on: (host) => ["ip", "netns", "exec", `${prefix}-${host}`], remove };
}

function rulesOf(kind: NatKind, site: string): readonly string[] {
  return [
    "add table ip nat",
    "add chain ip nat out { type nat hook postrouting priority 100 ; }",
    "add chain ip nat in { type nat hook prerouting priority -100 ; }",
    "add chain ip nat through { type filter hook forward priority 0 ; policy drop ; }",
    "add rule ip nat through iifname inside accept",
    "add rule ip nat through ct state established,related accept",
    `add rule ip nat out oifname wan masquerade${kind === "symmetric" ? " fully-random" : ""}`,
    ...(kind === "full-cone"
      ? [`add rule ip nat in iifname wan dnat to ${site}`, "add rule ip nat through iifname wan accept"]
      : []),
  ];
}
