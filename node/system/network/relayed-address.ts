/** Addresses that lead through a relay. */
import type { Multiaddr } from "@multiformats/multiaddr";

/** Whether an address leads through a relay. */
export const isRelayed = (address: Multiaddr): boolean =>
  address.getComponents().some(({ name }) => name === "p2p-circuit");

/** The relaying peer of an address that leads through a relay: the last one before the circuit. */
export function relayOf(address: Multiaddr): string | undefined {
  const components = address.getComponents();
  const circuit = components.findIndex(({ name }) => name === "p2p-circuit");
  return components.slice(0, Math.max(circuit, 0)).findLast(({ name }) => name === "p2p")?.value;
}
