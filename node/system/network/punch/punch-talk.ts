/**
 * What two peers say over a relayed connection to punch a hole: where each is seen from outside, what each asks to be shown,
 * and when they begin. A message has its kind in the first byte.
 */
import type { ConnectionGater } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { type AddressRange, isBelievable } from "../hearsay-range.ts";
import { addressOf, type Endpoint, endpointOf } from "./endpoint.ts";
import { type Hole, NONCE_BYTES } from "./hole.ts";
import type { SmallMessages } from "./small-messages.ts";

/** What a side tells of itself, how long a message takes to come back, and the moment to begin. */
const [OFFER, ECHO, ECHOED, BEGIN] = [1, 2, 3, 4] as const;

/** Where the other side is seen from outside, and what it asks to be shown. */
export interface Offer {
  readonly told: Endpoint;
  readonly nonce: Uint8Array;
}

/** Tell where this side is seen, and what it asks to be shown. */
export function tell(messages: SmallMessages, hole: Hole, seen: Endpoint): void {
  messages.write(Uint8Array.of(OFFER), hole.nonce, addressOf(seen).bytes);
}

/** What the other side tells.  Throws: Error where that is not of its form. */
export async function told(messages: SmallMessages): Promise<Offer> {
  const message = await messages.read();
  if (message[0] !== OFFER || message.length <= 1 + NONCE_BYTES)
    throw new Error("the other side tells nothing of itself");
  const endpoint = endpointOf(multiaddr(message.subarray(1 + NONCE_BYTES)));
  if (endpoint === undefined) throw new Error("the other side tells no address that a router gives");
  return { told: endpoint, nonce: message.subarray(1, 1 + NONCE_BYTES) };
}

/**
 * Whether somebody who is in such a range may have this peer send datagrams to an address: as for every address that somebody
 * tells of, and that the peer's own settings do not forbid.
 */
export async function mayTell(
  to: Endpoint,
  teller: AddressRange | undefined,
  gater: ConnectionGater,
): Promise<boolean> {
  const address = multiaddr(`${addressOf(to)}/quic-v1`);
  if (!isBelievable(address.toString(), teller === undefined ? [] : [teller])) return false;
  return (await gater.denyDialMultiaddr?.(address)) !== true;
}

/** Say when: the other side hears it when this side begins, half a way there and back later. */
export async function sayWhen(messages: SmallMessages): Promise<void> {
  const asked = performance.now();
  messages.write(Uint8Array.of(ECHO));
  await expected(messages, ECHOED);
  const roundTripMs = performance.now() - asked;
  messages.write(Uint8Array.of(BEGIN));
  await new Promise((resolve) => setTimeout(resolve, roundTripMs / 2));
}

/** Wait for the moment that the other side says. */
export async function hearWhen(messages: SmallMessages): Promise<void> {
  await expected(messages, ECHO);
  messages.write(Uint8Array.of(ECHOED));
  await expected(messages, BEGIN);
}

async function expected(messages: SmallMessages, kind: number): Promise<void> {
  const message = await messages.read();
  if (message.length !== 1 || message[0] !== kind)
    throw new Error("the other side says something else than is its turn");
}
