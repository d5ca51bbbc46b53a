/** A transport that reaches nobody: for looking at a data directory, and acting in it, without a network. */
import { NodeError } from "../../errors.ts";
import type { PeerIdText, Transport } from "../../interface/transport.ts";

export function createOfflineTransport(peer: PeerIdText): Transport {
  const nobody = async (): Promise<never> => {
    throw new NodeError("STREAM_FAILED", "this process is not connected to anybody", { peer });
  };
  return {
    peer,
    start: async () => {},
    stop: async () => {},
    addresses: () => [],
    dial: nobody,
    reaches: async () => false,
    connected: () => [],
    hangUp: async () => {},
    handle: async () => {},
    open: nobody,
    subscribe() {},
    publish: async () => {},
    onConnect() {},
    onDisconnect() {},
    onIdentified() {},
    onDiscovered() {},
    addressesOf: async () => [],
    bytes: () => ({ sent: 0, received: 0 }),
  };
}
