/** Real peers on hosts that have IPv6 and no IPv4 address: a first peer, one that joins by an invite, their reports and the page. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createConsortium } from "./consortium.suite.ts";
import { createHosts, type Hosts, whyNoHosts } from "./hosts.suite.ts";
import { COMMAND, HostPeers } from "./hosts-peers.suite.ts";

const execute = promisify(execFile);
const waiting = { timeout: 240_000, interval: 50 };
const ADDRESS = { relay: "2a01:7::2", hospital: "2a01:7::3" } as const;
const ADMIN_PORT = 8080;
const why = await whyNoHosts();
type Host = keyof typeof ADDRESS;

let net: HostPeers;
let hosts: Hosts;

describe.skipIf(why !== undefined)(`hosts with IPv6 alone${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  beforeEach(async () => {
    net = await HostPeers.create(2);
    hosts = await createHosts();
    for (const host of ["relay", "hospital"] as const) {
      // What is left of IPv4 is the address of the machine itself, which no system takes away.
      await hosts.run(host, "ip", "-4", "address", "flush", "dev", "wan");
      await hosts.run(host, "ip", "-6", "address", "add", `${ADDRESS[host]}/64`, "dev", "wan", "nodad");
    }
  });
  afterEach(async () => {
    await net.remove();
    await hosts.remove();
  });

  it("train together by --port, are looked at on the page, and report", async () => {
    const relay = net.start("relay", hosts.on("relay"), 1, [
      "--port",
      "9000",
      "--page",
      "--admin",
      `[::1]:${ADMIN_PORT}`,
    ]);
    await expect.poll(() => relay.of("started").length, waiting).toBe(1);
    const address = relay.addressWith(ADDRESS.relay)!;
    expect(address).toMatch(/^\/ip6\/2a01:7::2\/tcp\/9000\/p2p\//);
    const hospital = net.start("hospital", hosts.on("hospital"), 2, ["--port", "9000", "--bootstrap", address]);
    for (const peer of [relay, hospital]) await expect.poll(() => peer.neighbours(), waiting).toBe(1);
    const page = await weft("relay", "curl", "-sSg", `http://[::1]:${ADMIN_PORT}/`);
    expect(page).toMatch(/^<!doctype html>/i);
    for (const { process } of [relay, hospital]) process.begin();
    for (const peer of [relay, hospital]) await expect.poll(() => peer.of("finished").length, waiting).toBe(1);
    expect(hospital.acceptedFrom(relay).length + relay.acceptedFrom(hospital).length).toBeGreaterThanOrEqual(1);
    const report = await weft("relay", ...command("report", "--json", "--data-dir", join(net.folder, "relay")));
    expect(JSON.parse(report)).toMatchObject({ schema: "weft-report/1" });
  }, 600_000);

  it("join a network by an invite", async () => {
    const on = (name: string) => hosts.on(name === "alice" ? "relay" : "hospital");
    const members = await createConsortium({ parts: 2, on });
    try {
      for (const name of ["alice", "bob"]) await members.init(name);
      await members.found({ founders: ["alice admin"], signers: ["alice"], flags: ["--rounds", "1000"] });
      const alice = members.start("alice", "--port", "9000");
      await expect.poll(() => alice.of("started").length, waiting).toBe(1);
      const address = alice.of("started")[0]!.addresses.find((one) => one.includes(ADDRESS.relay))!;
      const invite = await members.invite("alice", [{ ...alice, address: () => address }]);
      const bob = members.startWith("bob", ["join", invite, "--port", "9000"]);
      await members.approve("bob", "alice");
      for (const peer of [alice, bob]) await expect.poll(() => peer.neighbours(), waiting).toBe(1);
    } finally {
      await members.stop();
    }
  }, 600_000);
});

const command = (...words: readonly string[]) => [process.execPath, COMMAND, ...words];

async function weft(host: Host, ...words: readonly string[]): Promise<string> {
  const [program, ...rest] = [...hosts.on(host), ...words];
  return (await execute(program!, rest, { timeout: 120_000 })).stdout;
}
