import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { networkId } from "../../protocol/network-manifest.ts";
import { createTestPeer, MANIFEST, type TestPeer } from "../exchange/exchange.suite.ts";
import { readOrCreateKey } from "../system/files/key-file.ts";
import { takeLock } from "../system/files/lock-file.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { checkNetwork, type NetworkCheckOptions } from "./network-check.ts";

let folder: string;
const stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-check-"));
  await readOrCreateKey(join(folder, "key"));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(folder, { recursive: true });
});

/** A willing peer of the network, whose clock is so far off. */
async function willing({ offMs = 0, manifest = MANIFEST } = {}): Promise<TestPeer> {
  const clock = createSystemClock();
  const peer = await createTestPeer(
    {
      clock: { ...clock, now: () => clock.now() + offMs },
      transport: (seed, logger) =>
        createLibp2pTransport(
          { logger },
          { seed, listen: ["/ip4/127.0.0.1/tcp/0"], connectionsMax: 8, streamsPerProtocolMax: 8, gossipBytesMax: 1024 },
        ),
    },
    { seed: 7, exchange: { manifest } },
  );
  stops.push(() => peer.exchange.stop());
  return peer;
}

const check = (options: Partial<NetworkCheckOptions> = {}) =>
  checkNetwork({
    dataDirectory: folder,
    manifest: MANIFEST,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    reach: { network: networkId(MANIFEST) },
    bootstrap: [],
    signal: new AbortController().signal,
    ...options,
  });

describe("a check of the network", () => {
  it("finds port, neighbours, reachability and clock in order", async () => {
    const peer = await willing();
    const findings = await check({ bootstrap: peer.transport.addresses() });
    expect(findings.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "port ok",
      "neighbours ok",
      "reachable ok",
      "clock ok",
    ]);
  });

  it("says that the announced address leads nowhere, and what to do", async () => {
    const peer = await willing();
    const announce = ["/ip4/127.0.0.1/tcp/1"];
    const findings = await check({
      bootstrap: peer.transport.addresses(),
      reach: { network: networkId(MANIFEST), announce },
    });
    expect(findings.find(({ name }) => name === "reachable")).toMatchObject({
      state: "problem",
      problem: "not-reachable",
      text: expect.stringMatching(/^no neighbour got through to \/ip4\/127\.0\.0\.1\/tcp\/1/),
    });
  });

  it.each([
    [-60_000, "warning", "60 s ahead of"],
    [3_600_000, "problem", "3600 s behind"],
  ])("compares clocks: the neighbour's is %d ms off", async (offMs, state, text) => {
    const peer = await willing({ offMs });
    const findings = await check({ bootstrap: peer.transport.addresses() });
    expect(findings.at(-1)).toMatchObject({ name: "clock", state, text: expect.stringContaining(text) });
  });

  it("says in which field the other network differs", async () => {
    const peer = await willing({ manifest: { ...MANIFEST, seed: 8 } });
    const [, neighbours, ...rest] = await check({ bootstrap: peer.transport.addresses() });
    expect(neighbours).toMatchObject({ state: "problem", text: expect.stringContaining("seed is 8 there and 7 here") });
    expect(rest).toEqual([]);
  });

  it("says that a port is taken, that a peer runs, that nobody is known, and that there is no key", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    stops.push(async () => void server.close());
    const { port } = server.address() as { port: number };
    expect(await check({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })).toEqual([
      { name: "port", state: "problem", text: expect.stringContaining(`tcp/${port} is in use`) },
    ]);
    expect((await check()).at(-1)).toMatchObject({ name: "neighbours", state: "absent" });
    const lock = await takeLock(join(folder, "lock"));
    expect(await check()).toEqual([{ name: "network", state: "absent", text: expect.stringContaining("a peer runs") }]);
    await lock.release();
    await rm(join(folder, "key"));
    expect(await check()).toEqual([
      { name: "network", state: "absent", text: "no key yet", problem: "nothing-made-yet" },
    ]);
  });
});
