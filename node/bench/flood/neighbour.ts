/** A neighbour of floods: it says on the wire what it is told to, honest or not, and counts what came of it. */
import { encodeBlobHeader } from "../../../protocol/blob.ts";
import { FEATURES } from "../../../protocol/features.ts";
import { encodeFrame } from "../../../protocol/frame.ts";
import { announcementTopic, type GossipTopic } from "../../../protocol/gossip-topics.ts";
import { answerHello, encodeHello } from "../../../protocol/handshake.ts";
import { encodeHeads } from "../../../protocol/heads.ts";
import { LIMITS } from "../../../protocol/limits.ts";
import { type NetworkManifest, networkId } from "../../../protocol/network-manifest.ts";
import { type PeerId, parsePeerId } from "../../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../../../protocol/stream-protocols.ts";
import type { Logger } from "../../interface/logger.ts";
import type { ByteStream, Transport } from "../../interface/transport.ts";
import { createLibp2pTransport } from "../../system/network/libp2p.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Who it is, and what it answers. */
export interface NeighbourOptions {
  readonly manifest: NetworkManifest;
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
  /** Answers a request for bytes; "not found" when absent. */
  readonly onBlob?: (stream: ByteStream, contentId: Uint8Array) => Promise<void>;
  /** Heads that it tells whoever asks. */
  readonly heads?: () => readonly Uint8Array[];
}

/** A message in its frame, and what it is answered with. */
export interface Call {
  readonly protocol: StreamProtocol;
  readonly message: Uint8Array;
  readonly signal: AbortSignal;
}

/** Started; dials one peer. */
export class Neighbour {
  readonly #transport: Transport;
  readonly #options: NeighbourOptions;
  readonly #topic: GossipTopic;
  #target: PeerId | undefined;

  private constructor(transport: Transport, options: NeighbourOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#topic = announcementTopic(networkId(options.manifest));
  }

  /** Start a transport of its own, which listens nowhere. */
  static async start(options: NeighbourOptions): Promise<Neighbour> {
    const { seed, manifest, onBlob, heads = () => [] } = options;
    const transport = await createLibp2pTransport(
      { logger: SILENT },
      { seed, listen: [], connectionsMax: 8, streamsPerProtocolMax: 64, gossipBytesMax: LIMITS.announcementBytesMax },
    );
    const context = { manifest, isMember: () => true, busy: false, features: FEATURES };
    await transport.handle(STREAM_PROTOCOLS.handshake, async (stream, from) => {
      const request = await collect(stream.source);
      await stream.sink([encodeFrame(answerHello(request.subarray(4), parsePeerId(from), context).reply)]);
    });
    await transport.handle(STREAM_PROTOCOLS.heads, async (stream) => {
      await collect(stream.source);
      await stream.sink([encodeFrame(encodeHeads(heads()))]);
    });
    await transport.handle(STREAM_PROTOCOLS.addresses, async (stream) => void (await collect(stream.source)));
    await transport.handle(STREAM_PROTOCOLS.blob, async (stream) => {
      const request = await collect(stream.source);
      if (onBlob !== undefined) await onBlob(stream, request.subarray(4));
      else await stream.sink([encodeFrame(encodeBlobHeader({ status: "not-found" }))]);
    });
    const neighbour = new Neighbour(transport, options);
    transport.subscribe(neighbour.#topic, {
      validate: () => ({ verdict: "accept", message: undefined }),
      deliver: () => {},
    });
    await transport.start();
    return neighbour;
  }

  get peer(): PeerId {
    return this.#transport.peer;
  }

  /** Connect, and nothing more.  Throws: DIAL_FAILED. */
  async dial(address: string, signal: AbortSignal): Promise<void> {
    this.#target = await this.#transport.dial(address, signal);
  }

  /** Connect, and greet as a peer of the network does.  Throws: DIAL_FAILED, STREAM_FAILED. */
  async enter(address: string, signal: AbortSignal): Promise<void> {
    await this.dial(address, signal);
    const { manifest } = this.#options;
    const message = encodeHello(manifest, undefined, FEATURES);
    await this.ask({ protocol: STREAM_PROTOCOLS.handshake, message, signal });
  }

  isConnected(): boolean {
    return this.#transport.connected().length > 0;
  }

  /** Send a message and read all of the answer, with its frame.  Throws: STREAM_FAILED. */
  async ask({ protocol, message, signal }: Call): Promise<Uint8Array> {
    const stream = await this.open(protocol, signal);
    const onAbort = (): void => stream.abort(new Error("given up"));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const [answer] = await Promise.all([collect(stream.source), stream.sink([encodeFrame(message)])]);
      return answer;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** A stream to the peer that was dialled.  Throws: STREAM_FAILED. */
  async open(protocol: StreamProtocol, signal: AbortSignal): Promise<ByteStream> {
    if (this.#target === undefined) throw new Error("nobody was dialled");
    return await this.#transport.open(this.#target, protocol, signal);
  }

  /** Say something to everybody. */
  async gossip(bytes: Uint8Array): Promise<void> {
    await this.#transport.publish(this.#topic, bytes);
  }

  stop(): Promise<void> {
    return this.#transport.stop();
  }
}

/** All bytes of a stream. */
export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}
