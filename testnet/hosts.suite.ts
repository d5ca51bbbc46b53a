/**
 * Several hosts on one machine: network namespaces on one switch, each with an address that counts as public, and one
 * host behind a router that translates addresses and lets nothing in that was not asked for.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

export interface Hosts {
  /** Words to put before a command, so that it runs on a host. */
  on(host: HostName): readonly string[];
  /** Run a command on a host; its standard output. */
  run(host: HostName, ...command: readonly string[]): Promise<string>;
  /** Take a host off the switch, or put it back. */
  unplug(host: PublicHost): Promise<void>;
  plug(host: PublicHost): Promise<void>;
  remove(): Promise<void>;
}

export type PublicHost = "relay" | "hospital" | "router";
export type HostName = PublicHost | "site";

/** Addresses of the hosts; those of the switch count as public, so that reaching them directly is worth a try. */
export const ADDRESS: Readonly<Record<HostName, string>> = {
  relay: "11.7.0.2",
  hospital: "11.7.0.3",
  router: "11.7.0.4",
  site: "10.77.0.2",
};
const ROUTER_INSIDE = "10.77.0.1";

/** Why this machine cannot make hosts; undefined when it can. */
export async function whyNoHosts(): Promise<string | undefined> {
  const name = `weft-try-${process.pid}`;
  try {
    await execute("ip", ["netns", "add", name]);
  } catch (error) {
    return `network namespaces are not permitted here (${reason(error)})`;
  }
  try {
    await execute("ip", ["netns", "exec", name, "nft", "add", "table", "ip", "nat"]);
    return undefined;
  } catch (error) {
    return `addresses cannot be translated here (${reason(error)})`;
  } finally {
    await execute("ip", ["netns", "delete", name]);
  }
}

const reason = (error: unknown): string => String((error as { stderr?: string }).stderr || error).trim();

export async function createHosts(): Promise<Hosts> {
  const prefix = `weft-${process.pid}`;
  const space = (host: HostName | "switch"): string => `${prefix}-${host}`;
  const made: string[] = [];
  const ip = (...words: readonly string[]) => execute("ip", [...words]);
  const run = async (host: HostName | "switch", ...command: readonly string[]): Promise<string> =>
    (await execute("ip", ["netns", "exec", space(host), ...command])).stdout;
  const add = async (host: HostName | "switch"): Promise<void> => {
    await ip("netns", "add", space(host));
    made.push(space(host));
    await run(host, "ip", "link", "set", "lo", "up");
  };
  const cable = async (a: HostName | "switch", aEnd: string, b: HostName | "switch", bEnd: string): Promise<void> => {
    await run(a, "ip", "link", "add", aEnd, "type", "veth", "peer", "name", bEnd, "netns", space(b));
    await run(a, "ip", "link", "set", aEnd, "up");
    await run(b, "ip", "link", "set", bEnd, "up");
  };
  const remove = async (): Promise<void> => {
    for (const name of made.splice(0)) await ip("netns", "delete", name);
  };
  try {
    await add("switch");
    await run("switch", "ip", "link", "add", "bridge", "type", "bridge");
    await run("switch", "ip", "link", "set", "bridge", "up");
    for (const host of ["relay", "hospital", "router"] as const) {
      await add(host);
      await cable(host, "wan", "switch", host);
      await run("switch", "ip", "link", "set", host, "master", "bridge");
      await run(host, "ip", "address", "add", `${ADDRESS[host]}/24`, "dev", "wan");
    }
    await add("site");
    await cable("site", "wan", "router", "inside");
    await run("site", "ip", "address", "add", `${ADDRESS.site}/24`, "dev", "wan");
    await run("router", "ip", "address", "add", `${ROUTER_INSIDE}/24`, "dev", "inside");
    await run("site", "ip", "route", "add", "default", "via", ROUTER_INSIDE);
    await run("router", "sysctl", "-qw", "net.ipv4.ip_forward=1");
    for (const rule of [
      "add table ip nat",
      "add chain ip nat out { type nat hook postrouting priority 100 ; }",
      "add rule ip nat out oifname wan masquerade",
      "add chain ip nat through { type filter hook forward priority 0 ; policy drop ; }",
      "add rule ip nat through iifname inside accept",
      "add rule ip nat through ct state established,related accept",
    ]) {
      await run("router", "nft", rule);
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    on: (host) => ["ip", "netns", "exec", space(host)],
    run: (host, ...command) => run(host, ...command),
    unplug: async (host) => void (await run("switch", "ip", "link", "set", host, "down")),
    plug: async (host) => void (await run("switch", "ip", "link", "set", host, "up")),
    remove,
  };
}
