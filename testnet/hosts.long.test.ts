/** Real peers on several hosts: behind a router, and through a relaying member. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADDRESS, createHosts, type HostName, type Hosts, whyNoHosts } from "./hosts.suite.ts";
import { type HostPeer, HostPeers } from "./hosts-peers.suite.ts";

const waiting = { timeout: 240_000, interval: 50 };
const PORT = 9000;
const why = await whyNoHosts();

let net: HostPeers;
let hosts: Hosts;

describe.skipIf(why !== undefined)(`several hosts${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  beforeEach(async () => {
    hosts = await createHosts();
  });
  afterEach(async () => {
    await net.remove();
    await hosts.remove();
  });

  it("carries a peer behind a router through a relaying member, where there is no direct way", async () => {
    net = await HostPeers.create(4);
    // The router does not let the site out to the hospital.
    await hosts.run("router", "nft", `insert rule ip nat through ip daddr ${ADDRESS.hospital} drop`);
    const { site, hospital } = await threePeers();
    for (const peer of [site, hospital]) await expect.poll(() => peer.neighbours(), waiting).toBe(2);
    expect(await established("hospital", ADDRESS.router)).toBe(0);
    for (const { process } of Object.values(peers)) process.begin();
    await expect.poll(() => site.of("finished").length, waiting).toBe(1);
    await expect.poll(() => hospital.of("finished").length, waiting).toBe(1);
    // Who is behind fetches the newest update of an author only.
    expect(hospital.acceptedFrom(site).length).toBeGreaterThanOrEqual(1);
    expect(site.acceptedFrom(hospital).length).toBeGreaterThanOrEqual(1);
    expect(await established("hospital", ADDRESS.router)).toBe(0);
  }, 600_000);

  it("finds the direct way where a dial outwards is enough", async () => {
    net = await HostPeers.create(2);
    const { site, hospital } = await threePeers();
    for (const peer of [site, hospital]) await expect.poll(() => peer.neighbours(), waiting).toBe(2);
    await expect.poll(() => established("hospital", ADDRESS.router), waiting).toBeGreaterThanOrEqual(1);
  }, 600_000);
});

let peers: Record<"relay" | "site" | "hospital", HostPeer>;

async function threePeers(): Promise<typeof peers> {
  const start = (host: HostName, part: number, flags: readonly string[]) =>
    net.start(host, hosts.on(host), part, flags);
  const relay = start("relay", 1, ["--port", String(PORT), "--relay"]);
  await expect.poll(() => relay.of("started").length, waiting).toBe(1);
  const address = relay.addressWith(ADDRESS.relay)!;
  const hospital = start("hospital", 2, ["--port", String(PORT), "--bootstrap", address]);
  const site = start("site", 3, ["--outbound-only", "--bootstrap", address]);
  peers = { relay, site, hospital };
  return peers;
}

/** TCP connections of a host with an address. */
async function established(host: HostName, address: string): Promise<number> {
  const lines = await hosts.run(host, "ss", "-Htn", "state", "established", "dst", address);
  return lines.split("\n").filter((line) => line.trim() !== "").length;
}
