/**
 * Addresses over `/weft/addresses/1`: each side tells its neighbours where it and its other neighbours can be dialled, so
 * that two peers that met through a third stay together when that one is gone. Told once a neighbour is admitted, and
 * again when there is something new, not too often; what is heard is only hearsay and goes to the dialer.
 */

import { pipe } from "it-pipe";
import { decodeAddresses, encodeAddresses, peerIdOfAddress } from "../../protocol/addresses.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { ByteStream, Transport } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import { bounded, cut, oneFrame } from "./byte-pipeline.ts";
import { answerWithin, withStream } from "./deadline.ts";

export interface AddressExchangeDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly background: Background;
  /** Peers past their handshake. */
  readonly admitted: () => readonly PeerId[];
  readonly isAdmitted: (peer: PeerId) => boolean;
  /** Whether a neighbour knows of such messages. */
  readonly takes: (peer: PeerId) => boolean;
  /** What a neighbour says; each is an address by README.md 7.8, and nothing else is known of it. */
  readonly onAddresses: (addresses: readonly string[]) => void;
  /** Its message could not be read. */
  readonly onFault: (from: PeerId) => void;
}

export interface AddressExchangeOptions {
  readonly timeoutMs: number;
  /** Shortest time between two messages to one neighbour. */
  readonly intervalMs: number;
  /** Messages of one neighbour that are read within `windowMs`. */
  readonly perWindowMax: number;
  readonly windowMs: number;
}

export interface AddressExchange {
  start(): Promise<void>;
  /** A neighbour was admitted: it is told of the others, and the others of it. */
  welcome(peer: PeerId): void;
  /** Tell nobody any more; idempotent. */
  stop(): void;
}

/** Messages in a row that a neighbour did not take; after so many it is told again only when there is something new. */
const FAILURES_MAX = 5;

/** What was said between this peer and one neighbour; forgotten when it disconnects. */
interface Conversation {
  /** The addresses of the last message that it took, or may be taking. */
  told: readonly string[] | undefined;
  failures: number;
  toldAtMs: number;
  /** Whether a message to it is due. */
  due: boolean;
  /** Cancels the wait for its time. */
  cancel: () => void;
  windowSinceMs: number;
  readInWindow: number;
}

export function createAddressExchange(
  dependencies: AddressExchangeDependencies,
  { timeoutMs, intervalMs, perWindowMax, windowMs }: AddressExchangeOptions,
): AddressExchange {
  const { transport, clock, background, admitted, isAdmitted, takes, onAddresses, onFault } = dependencies;
  const never = Number.NEGATIVE_INFINITY;
  const conversations = new Map<PeerId, Conversation>();
  const conversationWith = (peer: PeerId): Conversation => {
    const known = conversations.get(peer);
    if (known !== undefined) return known;
    const timing = {
      failures: 0,
      toldAtMs: never,
      due: false,
      cancel: () => {},
      windowSinceMs: never,
      readInWindow: 0,
    };
    const fresh: Conversation = { told: undefined, ...timing };
    conversations.set(peer, fresh);
    return fresh;
  };

  /** Tell a neighbour what is new, now or when its time has come. */
  const tell = (peer: PeerId): void => {
    if (!takes(peer)) return;
    const conversation = conversationWith(peer);
    if (conversation.due || background.signal.aborted) return;
    conversation.due = true;
    const send = (): void => void background.run("telling addresses", (signal) => tellNow(peer, conversation, signal));
    const waitMs = conversation.toldAtMs + intervalMs - clock.now();
    if (waitMs > 0) conversation.cancel = clock.after(waitMs, send);
    else send();
  };
  const tellNow = async (peer: PeerId, conversation: Conversation, signal: AbortSignal): Promise<void> => {
    conversation.due = false;
    const addresses = await knownAddresses(transport, [
      transport.peer,
      ...admitted().filter((other) => other !== peer),
    ]);
    if (!isAdmitted(peer) || conversations.get(peer) !== conversation) return;
    const { told } = conversation;
    if (told !== undefined && addresses.every((address) => told.includes(address))) return;
    conversation.told = addresses;
    conversation.toldAtMs = clock.now();
    const call = { peer, protocol: STREAM_PROTOCOLS.addresses, timeoutMs, signal };
    try {
      await withStream({ transport, clock }, call, async ({ source, sink }) => {
        await pipe([encodeFrame(encodeAddresses(addresses))], cut, sink);
        // Nothing is answered; the end shows that it was read.
        for await (const _ of bounded(0)(source));
      });
      conversation.failures = 0;
    } catch (error) {
      // It may not have come to the end of its handshake yet, or be too busy: what it has not read is told again.
      conversation.told = told;
      if (conversations.get(peer) === conversation && ++conversation.failures < FAILURES_MAX) tell(peer);
      throw error;
    }
  };
  const tellOthersOf = (peer: PeerId): void => {
    for (const other of admitted()) if (other !== peer) tell(other);
  };

  const hear = async (stream: ByteStream, from: PeerId): Promise<void> => {
    if (!isAdmitted(from)) throw new NodeError("NOT_ADMITTED", `${from} sent addresses before its handshake`);
    const conversation = conversationWith(from);
    if (clock.now() - conversation.windowSinceMs >= windowMs) {
      conversation.windowSinceMs = clock.now();
      conversation.readInWindow = 0;
    }
    if (++conversation.readInWindow > perWindowMax) {
      throw new NodeError("TOO_OFTEN", `${from} sends addresses more often than every ${windowMs / perWindowMax} ms`);
    }
    try {
      const addresses = decodeAddresses(await pipe(stream.source, oneFrame(LIMITS.addressesBytesMax)));
      onAddresses(addresses);
    } catch (error) {
      if (error instanceof ProtocolError) onFault(from);
      throw error;
    }
  };

  return {
    async start() {
      transport.onIdentified((peer) => {
        if (isAdmitted(peer)) tellOthersOf(peer);
      });
      transport.onDisconnect((peer) => {
        conversations.get(peer)?.cancel();
        conversations.delete(peer);
        // Should it come back, that is news, also where it was before.
        for (const other of conversations.values()) {
          other.told = other.told?.filter((address) => peerIdOfAddress(address) !== peer);
        }
      });
      await transport.handle(STREAM_PROTOCOLS.addresses, (stream, from) =>
        answerWithin(clock, { stream, timeoutMs, protocol: STREAM_PROTOCOLS.addresses }, (answered) =>
          hear(answered, from),
        ),
      );
    },
    welcome(peer) {
      tell(peer);
      tellOthersOf(peer);
    },
    stop() {
      for (const { cancel } of conversations.values()) cancel();
      conversations.clear();
    },
  };
}

/**
 * Where peers can be dialled: the first address of each, then the second of each, and so on within the limits, so that
 * none is left out for another's many. Loopback addresses come last of a peer's, because they help on one machine only.
 */
async function knownAddresses(transport: Transport, peers: readonly PeerId[]): Promise<readonly string[]> {
  const { addressesCountMax, addressesPerPeerMax } = LIMITS;
  const lists = await Promise.all(
    peers.map(async (peer) => {
      const said = peer === transport.peer ? transport.addresses() : await transport.addressesOf(peer);
      const valid = [...new Set(said)].filter((address) => peerIdOfAddress(address) === peer);
      return [...valid.filter((address) => !isLoopback(address)), ...valid.filter(isLoopback)];
    }),
  );
  const turns = Array.from({ length: addressesPerPeerMax }, (_, turn) => lists.flatMap((list) => list[turn] ?? []));
  return turns.flat().slice(0, addressesCountMax);
}

function isLoopback(address: string): boolean {
  return /^\/ip4\/127\.|^\/ip6\/::1\//.test(address);
}
