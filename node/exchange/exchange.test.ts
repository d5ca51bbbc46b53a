import { createSigner } from "../../protocol/envelope.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { exchangeSuite, type TestNet } from "./exchange.suite.ts";

const bounds = { streamsPerProtocolMax: 16, gossipBytesMax: 1024 };

exchangeSuite("memory", (): TestNet => {
  const hub = createMemoryHub();
  return {
    clock: createVirtualClock(),
    transport: async (secretKey, logger) => hub.create({ logger }, { peer: createSigner(secretKey).peer, ...bounds }),
  };
});

exchangeSuite(
  "libp2p",
  (): TestNet => ({
    clock: createSystemClock(),
    transport: (seed, logger) =>
      createLibp2pTransport({ logger }, { seed, listen: ["/ip4/127.0.0.1/tcp/0"], connectionsMax: 16, ...bounds }),
  }),
);
