import { afterEach, describe, expect, it } from "vitest";
import { encodeFrame } from "../../protocol/frame.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { patient } from "../system/network/transport.suite.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { askForCheckup } from "./checkup.ts";
import { connect, createTestPeer, type TestNet, type TestPeer } from "./exchange.suite.ts";
import { createImpostor } from "./impostor.suite.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Peers whose clock is so far off. */
function net(offMs = 0): TestNet {
  const clock = createSystemClock();
  return {
    clock: { ...clock, now: () => clock.now() + offMs },
    transport: (seed, logger) =>
      createLibp2pTransport(
        { logger },
        { seed, listen: ["/ip4/127.0.0.1/tcp/0"], connectionsMax: 16, streamsPerProtocolMax: 16, gossipBytesMax: 1024 },
      ),
  };
}

async function up(seed: number, offMs = 0): Promise<TestPeer> {
  const peer = await createTestPeer(net(offMs), { seed });
  stops.push(() => peer.exchange.stop());
  return peer;
}

const ask = (from: TestPeer, to: TestPeer, addresses: readonly string[]) =>
  askForCheckup(
    { transport: from.transport, clock: net().clock },
    { peer: to.id, addresses, signal: patient() },
    { timeoutMs: 60_000 },
  );

describe("a checkup", () => {
  it("tells at which addresses a neighbour gets through, and its time", async () => {
    const [a, b] = [await up(1), await up(2, 3_600_000)];
    await connect(a, b);
    const real = a.transport.addresses()[0]!;
    const wrong = real.replace(/tcp\/\d+/, "tcp/1");
    const { timeMs, reached, askedAtMs, answeredAtMs } = await ask(a, b, [wrong, real]);
    expect(reached).toEqual([false, true]);
    expect(timeMs - 3_600_000).toBeGreaterThanOrEqual(askedAtMs);
    expect(timeMs - 3_600_000).toBeLessThanOrEqual(answeredAtMs);
    // The connection that was there before is still there.
    expect(b.exchange.admitted()).toEqual([a.id]);
  });

  it("does not count another peer that answers at the address", async () => {
    const [a, b, c] = [await up(1), await up(2), await up(3)];
    await connect(a, b);
    const address = c.transport.addresses()[0]!.replace(c.id, a.id);
    expect((await ask(a, b, [address])).reached).toEqual([false]);
  });

  it("is not answered twice in a row, nor before the handshake", async () => {
    const [a, b] = [await up(1), await up(2)];
    await connect(a, b);
    await ask(a, b, []);
    await expect(ask(a, b, [])).rejects.toThrow();
    const stranger = await createImpostor(net(), { seed: 9 });
    stops.push(() => stranger.stop());
    await stranger.dial(b);
    expect(await stranger.send(b, STREAM_PROTOCOLS.checkup, [encodeFrame(new Uint8Array())])).toBeInstanceOf(Error);
  });
});
