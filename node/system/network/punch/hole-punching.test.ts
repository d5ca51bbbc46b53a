/** Peers that a relay carries find a direct way, and what others can make of that: over real sockets of this machine. */
import { afterEach, describe, expect, it } from "vitest";
import { announcementTopic } from "../../../../protocol/gossip-topics.ts";
import { parseNetworkId } from "../../../../protocol/network-id.ts";
import { STREAM_PROTOCOLS } from "../../../../protocol/stream-protocols.ts";
import type { ByteStream, Transport } from "../../../interface/transport.ts";
import { patient, until } from "../transport.suite.ts";
import { hasQuic, inside, NETWORK, relaying, stopAll } from "./punch.suite.ts";

const PROTOCOL = STREAM_PROTOCOLS.heads;
const TOPIC = announcementTopic(parseNetworkId(NETWORK));
/** Gives back what it is sent. */
const prepare = (made: Transport): Promise<void> => made.handle(PROTOCOL, (stream) => stream.sink(stream.source));
afterEach(stopAll);

const linksTo = (from: Transport, to: Transport) => from.links().filter(({ peer }) => peer === to.peer);
const isDirectAlone = (a: Transport, b: Transport): boolean =>
  [linksTo(a, b), linksTo(b, a)].every((links) => links.length === 1 && links[0]?.isRelayed === false);

/** Bytes that come back of those that are sent. */
async function echoed(from: Transport, to: Transport, bytes: () => Parameters<ByteStream["sink"]>[0]): Promise<number> {
  const stream = await from.open(to.peer, PROTOCOL, patient());
  const sent = stream.sink(bytes());
  let count = 0;
  for await (const chunk of stream.source) count += chunk.length;
  await sent;
  return count;
}

describe.skipIf(!hasQuic)("two peers that only dial outwards", () => {
  it("come together directly, have the address of their holes, and talk and gossip on when the relayed way ends", async () => {
    const relay = await relaying({ prepare });
    const [a, b] = [await inside(2, relay, { prepare }), await inside(3, relay, { prepare })];
    const hears = new Set<Transport>();
    for (const peer of [a, b]) {
      const validate = (bytes: Uint8Array) => ({ verdict: "accept", message: bytes }) as const;
      peer.subscribe(TOPIC, { validate, deliver: () => void hears.add(peer) });
    }
    await a.dial(b.addresses()[0]!, patient());
    expect(linksTo(a, b)[0]?.isRelayed).toBe(true);
    // What is said over the relayed way is said to its end.
    const said = echoed(a, b, async function* () {
      yield new Uint8Array(50_000);
      await until(() => linksTo(a, b).length === 2);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      yield new Uint8Array(50_000);
    });
    await until(() => isDirectAlone(a, b));
    expect(await said).toBe(100_000);
    const [there, back] = [linksTo(a, b)[0]!, linksTo(b, a)[0]!];
    expect([there.direction, back.direction].sort()).toEqual(["inbound", "outbound"]);
    for (const { address } of [there, back]) expect(address).toMatch(/^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1\/p2p\//);
    // The relay has not subscribed, and passes nothing on.
    hears.clear();
    for (let n = 0; hears.size < 2; n++) {
      // Each message is another one: what was said before nobody heard it is not said again.
      for (const peer of [a, b]) await peer.publish(TOPIC, new TextEncoder().encode(`${peer.peer} ${n}`));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await relay.stop();
    expect(await echoed(a, b, () => [new Uint8Array(100_000)])).toBe(100_000);
  });
});
