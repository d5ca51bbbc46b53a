/** Two sites behind routers of the usual kinds come together within ten seconds, directly wherever their routers allow it. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whyNoHosts } from "./hosts.suite.ts";
import { createNatHosts, NAT_KINDS, type NatHosts, type NatKind, RELAY_ADDRESS } from "./hosts-nat.suite.ts";

const whyNot = await whyNoHosts();
if (whyNot !== undefined) console.log(`routers are not tested here: ${whyNot}`);

const SITE = join(import.meta.dirname, "hosts-nat-site.suite.ts");
/** Meetings of each pair, and of one for which there is nothing to be found. */
const MEETINGS = 3;
const HOPELESS_MEETINGS = 1;

/** Two sites behind each kind of router: the first and the second of each kind. */
const SITES = NAT_KINDS.flatMap((kind) => [kind, kind]);
const PAIRS = NAT_KINDS.flatMap((a, i) => NAT_KINDS.slice(i).map((b) => [a, b] as const));

/**
 * Where no hole can be: a symmetric router gives each destination a port of its own, which nobody can be told of, and the other
 * router lets in only the port that was told.
 */
const isHopeless = (pair: readonly NatKind[]): boolean =>
  pair.includes("symmetric") && pair.every((kind) => kind === "symmetric" || kind === "port-restricted");

const started: ChildProcess[] = [];
let hosts: NatHosts;
let sites: readonly Site[];

interface Site {
  readonly id: string;
  ask(peer: string): Promise<Record<string, unknown>>;
}

/** The program on a host, once it has said who it is; with a relay, once it has a place there. */
async function start(host: "relay" | number, relay: readonly string[]): Promise<Site> {
  const [program = "", ...before] = hosts.on(host);
  const words = host === "relay" ? ["1", RELAY_ADDRESS] : [String(2 + host), hosts.addressOf(host), ...relay];
  const child = spawn(program, [...before, process.execPath, SITE, ...words], { stdio: ["pipe", "pipe", "inherit"] });
  started.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the host has ended");
    return JSON.parse(value);
  };
  const { id } = await next();
  if (host !== "relay") expect(await next()).toEqual({ hasPlace: true });
  return {
    id: String(id),
    ask: (peer) => {
      child.stdin.write(`${JSON.stringify({ peer })}\n`);
      return next();
    },
  };
}

describe.skipIf(whyNot !== undefined)("two sites behind routers", { timeout: 180_000 }, () => {
  beforeAll(async () => {
    hosts = createNatHosts(SITES);
    const { id } = await start("relay", []);
    const relay = `/ip4/${RELAY_ADDRESS}/tcp/9000/p2p/${id}`;
    sites = await Promise.all(SITES.map((_, n) => start(n, [relay])));
  }, 600_000);
  afterAll(() => {
    for (const child of started.splice(0)) child.kill("SIGKILL");
    hosts?.remove();
  });

  let [holes, found] = [0, 0];
  it.each(PAIRS)("%s and %s, meet within ten seconds, directly where a hole can be", async (a, b) => {
    const from = sites[SITES.indexOf(a)]!;
    const to = sites[SITES.lastIndexOf(b)]!;
    for (let n = 0; n < (isHopeless([a, b]) ? HOPELESS_MEETINGS : MEETINGS); n++) {
      const { reached, direct, address } = await from.ask(to.id);
      const way = direct === null ? "stays with the relay" : `direct after ${Number(direct).toFixed(1)} s`;
      console.log(`${a} and ${b}: reached after ${Number(reached).toFixed(1)} s, ${way}`);
      expect(reached).toBeLessThan(10);
      // The other site's router, and not the socket on this machine that QUIC speaks with.
      if (direct !== null) expect(address).toMatch(new RegExp(`^/ip4/${hosts.routerOf(SITES.lastIndexOf(b))}/udp/`));
      if (isHopeless([a, b])) continue;
      holes++;
      if (direct !== null) found++;
    }
  });

  it("are connected directly in at least 95 of 100 meetings at which a hole can be", () => {
    console.log(`direct: ${found} of ${holes} meetings`);
    expect(holes).toBe(MEETINGS * 8);
    expect(found / holes).toBeGreaterThanOrEqual(0.95);
  });
});
