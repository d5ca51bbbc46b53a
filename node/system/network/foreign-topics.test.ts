/** What a hostile program, which speaks libp2p and nothing of weft, may have a peer remember: over real sockets. */
import { gossipsub } from "@chainsafe/libp2p-gossipsub";
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterEach, expect, it } from "vitest";
import { rosterTopic } from "../../../protocol/gossip-topics.ts";
import { parseNetworkId } from "../../../protocol/network-id.ts";
import { HearsayDial } from "./hearsay-dial.ts";
import { Libp2pGossip } from "./libp2p-gossip.ts";
import { Libp2pFigures } from "./libp2p-metrics.ts";
import { createNode } from "./libp2p-node.ts";
import { SUITE_LIMITS, silentLogger, until } from "./transport.suite.ts";
import { createWireBytes, wireMetrics } from "./wire-bytes.ts";

const running: { stop(): Promise<void> | void }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

it("of gossip only what is on topics that this peer has subscribed to", async () => {
  const hearsay = new HearsayDial();
  const figures = new Libp2pFigures();
  const options = {
    seed: new Uint8Array(32).fill(1),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    connectionsMax: 8,
    ...SUITE_LIMITS,
  };
  const victim = await createNode(
    { hearsay, logger: silentLogger },
    options,
    wireMetrics({ bytes: createWireBytes(), register: figures.register }, () => {}),
  );
  running.push(victim);
  await victim.start();
  const topic = rosterTopic(parseNetworkId("ab".repeat(32)));
  const loop = { entered: () => {}, during: <T>(_: string, run: () => T): T => run() };
  const gossip = new Libp2pGossip(
    { gossip: victim.services.gossip, logger: silentLogger, loop },
    { bytesMax: SUITE_LIMITS.gossipBytesMax },
  );
  gossip.begin();
  const heard: number[] = [];
  gossip.subscribe(topic, {
    validate: (bytes) => ({ verdict: "accept", message: bytes.length }),
    deliver: (length) => void heard.push(length),
  });
  const hostile = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), gossip: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  });
  running.push(hostile);
  for (let n = 0; n < 50; n++) hostile.services.gossip.subscribe(`foreign-${n}`);
  hostile.services.gossip.subscribe(topic.name);
  await hostile.dial(multiaddr(victim.getMultiaddrs()[0]?.toString() ?? ""));
  await until(() => hostile.services.gossip.getSubscribers(topic.name).length === 1);
  await hostile.services.gossip.publish(topic.name, new Uint8Array(7));
  await until(() => heard.length === 1);
  expect(victim.services.gossip.getSubscribers(topic.name)).toHaveLength(1);
  expect(victim.services.gossip.getSubscribers("foreign-0")).toHaveLength(0);
});
