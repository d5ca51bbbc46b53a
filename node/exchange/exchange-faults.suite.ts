import { afterEach } from "vitest";
import { createSigner } from "../../protocol/envelope.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { createTestPeer, type TestNet, type TestPeer, type TestPeerOptions } from "./exchange.suite.ts";
import { createImpostor, type Impostor } from "./impostor.suite.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

/** A network in memory, on a clock that the test turns. */
export function createNet(): TestNet & { readonly clock: VirtualClock } {
  const hub = createMemoryHub();
  const bounds = { streamsPerProtocolMax: 16, gossipBytesMax: 1024 };
  return {
    clock: createVirtualClock(),
    transport: async (secretKey, logger) => hub.create({ logger }, { peer: createSigner(secretKey).peer, ...bounds }),
  };
}

/** A peer that is stopped after the test. */
export async function up(net: TestNet, options: TestPeerOptions): Promise<TestPeer> {
  const peer = await createTestPeer(net, options);
  stops.push(() => peer.exchange.stop());
  return peer;
}

/** A program of a test's own in a peer's place, stopped after the test. */
export async function impostor(
  net: TestNet,
  options: { readonly seed: number; readonly answers?: boolean },
): Promise<Impostor> {
  const created = await createImpostor(net, options);
  stops.push(() => created.stop());
  return created;
}

/** One victim and one neighbour past its handshake that lies. */
export async function lied(): Promise<{ net: ReturnType<typeof createNet>; victim: TestPeer; liar: Impostor }> {
  const net = createNet();
  const victim = await up(net, { seed: 1 });
  const liar = await impostor(net, { seed: 9 });
  await liar.enter(victim);
  return { net, victim, liar };
}
