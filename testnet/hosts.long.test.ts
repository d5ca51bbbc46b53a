/** Real peers on several hosts: behind a router, and through a relaying member. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PeerEvent } from "../node/interface/peer-event.ts";
import { createNetwork } from "../node/manifest/create-network.ts";
import { embeddedModelDirectory } from "../node/system/files/embedded-model.ts";
import { ADDRESS, createHosts, type HostName, type Hosts, whyNoHosts } from "./hosts.suite.ts";
import { type PeerProcess, startPeerProcess } from "./peer-process.ts";

const command = join(import.meta.dirname, "..", "cli", "weft.js");
const waiting = { timeout: 240_000, interval: 50 };
const PORT = 9000;
const why = await whyNoHosts();

let folder: string;
let hosts: Hosts;
const processes: PeerProcess[] = [];

describe.skipIf(why !== undefined)(`several hosts${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-hosts-"));
    hosts = await createHosts();
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.stop(5_000)));
    await hosts.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it("carries a peer behind a router through a relaying member, where there is no direct way", async () => {
    await writeNetwork({ rounds: 4 });
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
    await writeNetwork({ rounds: 2 });
    const { site, hospital } = await threePeers();
    for (const peer of [site, hospital]) await expect.poll(() => peer.neighbours(), waiting).toBe(2);
    await expect.poll(() => established("hospital", ADDRESS.router), waiting).toBeGreaterThanOrEqual(1);
  }, 600_000);
});

let peers: Record<"relay" | "site" | "hospital", ReturnType<typeof start>>;

async function threePeers(): Promise<typeof peers> {
  const relay = start("relay", 1, ["--port", String(PORT), "--relay"]);
  await expect.poll(() => relay.of("started").length, waiting).toBe(1);
  const address = relay.of("started")[0]!.addresses.find((text) => text.includes(ADDRESS.relay))!;
  const hospital = start("hospital", 2, ["--port", String(PORT), "--bootstrap", address]);
  const site = start("site", 3, ["--outbound-only", "--bootstrap", address]);
  peers = { relay, site, hospital };
  return peers;
}

function start(host: HostName, part: number, flags: readonly string[]) {
  const events: PeerEvent[] = [];
  const process = startPeerProcess({
    command,
    launcher: hosts.on(host),
    arguments: [
      ...["run", "--events", "--serve", "--hold", "--threads", "1", "--data", "embedded", "--part", `${part}/4`],
      ...["--network", join(folder, "network.json"), "--data-dir", join(folder, host), ...flags],
    ],
    onEvent: (event) => events.push(event),
  });
  processes.push(process);
  const of = <T extends PeerEvent["type"]>(type: T) =>
    events.filter((event): event is Extract<PeerEvent, { type: T }> => event.type === type);
  return {
    process,
    of,
    neighbours: () => of("neighbours").at(-1)?.connected ?? 0,
    acceptedFrom: (other: { of: typeof of }) =>
      of("update").filter(({ from, verdict }) => verdict === "accept" && from === other.of("started")[0]!.peer),
  };
}

/** TCP connections of a host with an address. */
async function established(host: HostName, address: string): Promise<number> {
  const lines = await hosts.run(host, "ss", "-Htn", "state", "established", "dst", address);
  return lines.split("\n").filter((line) => line.trim() !== "").length;
}

async function writeNetwork({ rounds }: { readonly rounds: number }): Promise<void> {
  const manifest = createNetwork({
    name: "several hosts",
    modelDirectory: embeddedModelDirectory(),
    adapter: { kind: "loreft", rank: 2, layers: [0], positions: { first: 2, last: 2, tied: true } },
    seed: 1,
    rounds: { count: rounds, localSteps: 4 },
    aggregation: { lambda: { mode: "fixed", value: 0.5 } },
  });
  await writeFile(join(folder, "network.json"), JSON.stringify(manifest));
}
