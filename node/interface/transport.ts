/**
 * What a peer needs of a network: authenticated connections, byte streams by protocol, and gossip on topics.
 * Implemented by `node/system/network/libp2p` and, in memory, by `node/system/network/memory-transport`; both run one conformance suite.
 */
import type { GossipTopic } from "../../protocol/gossip-topics.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { StreamProtocol } from "../../protocol/stream-protocols.ts";
import type { ToldAddresses } from "./told-addresses.ts";

/** A stream with one other peer, in both directions. */
export interface ByteStream {
  /** Chunks from the other side; ends when it closes its writing side, throws when the stream is aborted. */
  readonly source: AsyncIterable<Uint8Array>;
  /** Write all chunks, respecting back pressure, then close the writing side. */
  sink(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  abort(reason: Error): void;
}

/** Answers one stream that somebody has opened; the stream is over when the promise settles. */
export type StreamHandler = (stream: ByteStream, from: PeerId) => Promise<void>;

/** What may be said of a gossip message before it is passed on to anybody else. */
export type GossipVerdict = "accept" | "ignore" | "reject";

/** A verdict on a gossip message, with what the message says where it is accepted: nobody decodes it a second time. */
export type GossipJudgement<Message> =
  | { readonly verdict: "accept"; readonly message: Message }
  | { readonly verdict: Exclude<GossipVerdict, "accept"> };

/** What a peer does with the messages of a topic. */
export interface GossipHandlers<Message> {
  /** Sees each message once, before it is delivered or forwarded; synchronous and quick. What it throws ignores the message. */
  readonly validate: (bytes: Uint8Array, from: PeerId) => GossipJudgement<Message>;
  /** Gets what `validate` accepted; what it throws keeps nobody else from the message. */
  readonly deliver: (message: Message, from: PeerId) => void;
}

/**
 * What a connected peer is to this one. nobody: connected, and no more. guest: admitted, and its key is free (a stranger of an open
 * network). known: a member of a roster, or of an open network who was given to this peer or has delivered.
 */
export type Standing = "nobody" | "guest" | "known";

/** One connection, as people look at it. */
export interface Link {
  readonly peer: PeerId;
  /** The multiaddr at its other end. */
  readonly address: string;
  /** Which of the two sides dialled. */
  readonly direction: "inbound" | "outbound";
  /** Whether it leads through a third peer. */
  readonly isRelayed: boolean;
  /** Of the newest ping; undefined before the first. */
  readonly roundTripMs: number | undefined;
  /** Milliseconds since 1970. */
  readonly openedAtMs: number;
}

/** Peers are those whose identity is an Ed25519 key; nobody else is connected. */
export interface Transport {
  readonly peer: PeerId;
  start(): Promise<void>;
  /** Closes every connection; idempotent. */
  stop(): Promise<void>;
  /** Multiaddrs others can dial, with `/p2p/<peer>` at the end. */
  addresses(): readonly string[];
  /** Those of its own addresses that others can judge. */
  readonly told: ToldAddresses;
  /**
   * Connect.  isHearsay: somebody told of the address, and nobody who runs this peer: a name in it is judged by what it leads
   * to.  Throws: NodeError DIAL_FAILED.
   */
  dial(address: string, signal: AbortSignal, options?: { readonly isHearsay: boolean }): Promise<PeerId>;
  /** Whether a connected peer can be dialled anew at an address; the connection is closed again. */
  reaches(address: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Of addresses that a connected peer tells of, those that may be dialled on its word: never of this machine or of a private
   * network unless it is there itself, and nothing but hosts on a network.
   */
  believable(addresses: readonly string[], from: PeerId): readonly string[];
  connected(): readonly PeerId[];
  /**
   * Where a connected peer comes from: an IPv4 address, the first 64 bits of an IPv6 address, or the address of the relay that
   * carries it; undefined where the network knows no addresses.
   */
  originOf(peer: PeerId): string | undefined;
  /** Every open connection; a peer may have several. */
  links(): readonly Link[];
  /** Close all connections to a peer. */
  hangUp(peer: PeerId): Promise<void>;
  /** Answer streams of one protocol; the handler's rejection aborts its stream and is logged, never thrown. */
  handle(protocol: StreamProtocol, handler: StreamHandler): Promise<void>;
  /** Throws: NodeError STREAM_FAILED. */
  open(peer: PeerId, protocol: StreamProtocol, signal: AbortSignal): Promise<ByteStream>;
  /** Join a topic. */
  subscribe<Message>(topic: GossipTopic, handlers: GossipHandlers<Message>): void;
  publish(topic: GossipTopic, bytes: Uint8Array): Promise<void>;
  onConnect(listener: (peer: PeerId) => void): void;
  onDisconnect(listener: (peer: PeerId) => void): void;
  /** Called when a connected peer has said where it can be dialled; at once when connections carry that. */
  onIdentified(listener: (peer: PeerId) => void): void;
  /** Called with multiaddrs, ending in `/p2p/<peer>`, of a peer that was found without anybody telling of it. */
  onDiscovered(listener: (addresses: readonly string[]) => void): void;
  /** Multiaddrs, ending in `/p2p/<peer>`, at which a connected peer says it can be dialled, as far as that is believable. */
  addressesOf(peer: PeerId): Promise<readonly string[]>;
  /** Bytes on the wire since start, all connections and all protocols together. */
  bytes(): { readonly sent: number; readonly received: number };
  /** What it measures of itself, in the text format of Prometheus; names begin with `libp2p_`. */
  figures(): Promise<string>;
}
