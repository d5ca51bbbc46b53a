/** Peers of one network that punch holes, over real sockets of this machine: the fixture of this folder's tests. */
import type { PeerId } from "../../../../protocol/peer-id.ts";
import type { Standing, Transport } from "../../../interface/transport.ts";
import { createLibp2pTransport } from "../libp2p.ts";
import { quicTransport, type ReachOptions } from "../reach.ts";
import { patient, SUITE_LIMITS, silentLogger, until } from "../transport.suite.ts";

export const NETWORK = "0123456789abcdef".repeat(4);
/** Whether the binding of QUIC loads here. */
export const hasQuic = (await quicTransport()) !== undefined;

/** How a peer is made. */
export interface Made extends Partial<ReachOptions> {
  readonly listen?: readonly string[];
  readonly standingOf?: (peer: PeerId) => Standing;
  /** Done before it starts. */
  readonly prepare?: (transport: Transport) => Promise<void>;
}

const running: { stop(): Promise<void> | void }[] = [];

/** Stop something when a test is over. */
export const stopLater = (one: { stop(): Promise<void> | void }): void => void running.push(one);

/** Stop what runs; after each test. */
export async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map((one) => one.stop()));
}

/** A peer with a key of its own by the seed. */
export async function up(seed: number, { listen = [], standingOf, prepare, ...reach }: Made = {}): Promise<Transport> {
  const made = await createLibp2pTransport(
    { logger: silentLogger, ...(standingOf && { standingOf }) },
    {
      ...{ seed: new Uint8Array(32).fill(seed), listen, connectionsMax: 32, ...SUITE_LIMITS },
      reach: { network: NETWORK, ...reach },
    },
  );
  await prepare?.(made);
  stopLater(made);
  await made.start();
  return made;
}

/** A peer that relays. */
export const relaying = (made: Made = {}): Promise<Transport> =>
  up(1, { relay: true, listen: ["/ip4/127.0.0.1/tcp/0"], ...made });

/** A peer that only dials outwards, with a place at a relay. */
export async function inside(seed: number, relay: Transport, made: Made = {}): Promise<Transport> {
  const peer = await up(seed, { throughRelays: true, ...made });
  await peer.dial(relay.addresses()[0]!, patient());
  await until(() => peer.addresses().length > 0);
  return peer;
}
