/** A transport that reaches nobody: for looking at a data directory, and acting in it, without a network. */
import type { PeerId } from "../../../protocol/peer-id.ts";
import { NodeError } from "../../errors.ts";
import { NO_PUBLIC_ADDRESSES } from "../../interface/told-addresses.ts";
import type { Transport } from "../../interface/transport.ts";

/** A transport with the identity of a peer and no network. */
export function createOfflineTransport(peer: PeerId): Transport {
  const nobody = async (): Promise<never> => {
    throw new NodeError("STREAM_FAILED", "this process is not connected to anybody", { peer });
  };
  return {
    peer,
    start: async () => {},
    stop: async () => {},
    addresses: () => [],
    told: NO_PUBLIC_ADDRESSES,
    dial: nobody,
    reaches: async () => false,
    believable: () => [],
    connected: () => [],
    originOf: () => undefined,
    links: () => [],
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
    figures: async () => "",
  };
}
