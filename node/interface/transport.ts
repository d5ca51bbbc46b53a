/**
 * What a peer needs of a network: authenticated connections, byte streams by protocol name, and gossip on topics.
 * Implemented by `node/system/network/libp2p` and, in memory, by `node/system/network/memory-transport`; both run one conformance suite.
 */

/** Peer id in its text form, such as `12D3KooW…`: the Ed25519 identity that the connection was authenticated with. */
export type PeerIdText = string;

export interface ByteStream {
  /** Chunks from the other side; ends when it closes its writing side, throws when the stream is aborted. */
  readonly source: AsyncIterable<Uint8Array>;
  /** Write all chunks, respecting back pressure, then close the writing side. */
  sink(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  abort(reason: Error): void;
}

export type StreamHandler = (stream: ByteStream, from: PeerIdText) => Promise<void>;

/** What a gossip validator may say of a message before it is passed on to anybody else. */
export type GossipVerdict = "accept" | "ignore" | "reject";

export interface Transport {
  readonly peer: PeerIdText;
  start(): Promise<void>;
  /** Closes every connection; idempotent. */
  stop(): Promise<void>;
  /** Multiaddrs others can dial, with `/p2p/<peer>` at the end. */
  addresses(): readonly string[];
  /** Throws: NodeError DIAL_FAILED. */
  dial(address: string, signal: AbortSignal): Promise<PeerIdText>;
  /** Whether a connected peer can be dialled anew at an address; the connection is closed again. */
  reaches(address: string, signal: AbortSignal): Promise<boolean>;
  connected(): readonly PeerIdText[];
  /** Close all connections to a peer. */
  hangUp(peer: PeerIdText): Promise<void>;
  /** Answer streams of one protocol; the handler's rejection aborts its stream and is logged, never thrown. */
  handle(protocol: string, handler: StreamHandler): Promise<void>;
  /** Throws: NodeError STREAM_FAILED. */
  open(peer: PeerIdText, protocol: string, signal: AbortSignal): Promise<ByteStream>;
  /** Join a topic; `validate` sees each message once, before it is delivered or forwarded; synchronous and quick. */
  subscribe(
    topic: string,
    options: {
      readonly validate: (bytes: Uint8Array, from: PeerIdText) => GossipVerdict;
      readonly deliver: (bytes: Uint8Array, from: PeerIdText) => void;
    },
  ): void;
  publish(topic: string, bytes: Uint8Array): Promise<void>;
  onConnect(listener: (peer: PeerIdText) => void): void;
  onDisconnect(listener: (peer: PeerIdText) => void): void;
  /** Called when a connected peer has said where it can be dialled; at once when connections carry that. */
  onIdentified(listener: (peer: PeerIdText) => void): void;
  /** Called with multiaddrs, ending in `/p2p/<peer>`, of a peer that was found without anybody telling of it. */
  onDiscovered(listener: (addresses: readonly string[]) => void): void;
  /** Multiaddrs, ending in `/p2p/<peer>`, at which a peer that is or was connected says it can be dialled. */
  addressesOf(peer: PeerIdText): Promise<readonly string[]>;
  /** Bytes on the wire since start, all connections and all protocols together. */
  bytes(): { readonly sent: number; readonly received: number };
}
