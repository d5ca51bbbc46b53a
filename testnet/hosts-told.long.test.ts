/** Real peers on several hosts: an address at which nobody gets through is told no longer, and a good one stays. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADDRESS, createHosts, type Hosts, whyNoHosts } from "./hosts.suite.ts";
import { COMMAND, HostPeers } from "./hosts-peers.suite.ts";

const execute = promisify(execFile);
const waiting = { timeout: 240_000, interval: 50 };
const why = await whyNoHosts();

let net: HostPeers;
let hosts: Hosts;

describe.skipIf(why !== undefined)(`told addresses${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  beforeEach(async () => {
    net = await HostPeers.create(2);
    hosts = await createHosts();
  });
  afterEach(async () => {
    await net.remove();
    await hosts.remove();
  });

  it("leave one out that a firewall closes; the good one stays", async () => {
    for (const rule of [
      "add table ip wall",
      "add chain ip wall in { type filter hook input priority 0 ; policy accept ; }",
      "add rule ip wall in tcp dport 9001 ct state new drop",
    ]) {
      await hosts.run("relay", "nft", rule);
    }
    const [good, closed] = [`/ip4/${ADDRESS.relay}/tcp/9000`, `/ip4/${ADDRESS.relay}/tcp/9001/ws`];
    const listen = ["--listen", good, "--listen", closed];
    const relay = net.start("relay", hosts.on("relay"), 1, listen);
    await expect.poll(() => relay.of("started").length, waiting).toBe(1);
    const id = relay.of("started")[0]!.peer;
    await expect.poll(() => toldOf(`${good}/p2p/${id}`), waiting).toEqual([`${good}/p2p/${id}`, `${closed}/p2p/${id}`]);
    const flags = ["--listen", "/ip4/0.0.0.0/tcp/9000", "--bootstrap", `${good}/p2p/${id}`];
    net.start("hospital", hosts.on("hospital"), 2, flags);
    net.start("router", hosts.on("router"), 3, flags);
    await expect
      .poll(() => relay.of("address"), waiting)
      .toMatchObject([{ address: `${closed}/p2p/${id}`, isReached: false, isTold: false }]);
    await expect.poll(() => toldOf(`${good}/p2p/${id}`), waiting).toEqual([`${good}/p2p/${id}`]);
    const { stdout } = await execute(process.execPath, [
      ...[COMMAND, "status", "--json", "--data-dir", join(net.folder, "relay")],
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ view: { addresses: [`${good}/p2p/${id}`] } });
  }, 600_000);
});

/** What whoever connects is told of the addresses of a peer; nothing where it is shown out before it was told. */
async function toldOf(address: string): Promise<readonly string[]> {
  const module = new URL("../node/system/network/libp2p.ts", import.meta.url).href;
  const script = `
    const { createLibp2pTransport } = await import(${JSON.stringify(module)});
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const seed = crypto.getRandomValues(new Uint8Array(32));
    const transport = await createLibp2pTransport({ logger }, { seed, listen: [], connectionsMax: 4, streamsPerProtocolMax: 4, gossipBytesMax: 1024 });
    const identified = new Promise((resolve) => transport.onIdentified(resolve));
    await transport.start();
    await transport.dial(process.argv[1], AbortSignal.timeout(20_000));
    console.log(JSON.stringify(await transport.addressesOf(await identified)));
    process.exit();`;
  const [program, ...words] = [...hosts.on("hospital"), process.execPath, "--input-type=module", "-e", script, address];
  const { stdout } = await execute(program!, words, { timeout: 30_000 }).catch(() => ({ stdout: "[]" }));
  return (JSON.parse(stdout) as string[]).sort();
}
