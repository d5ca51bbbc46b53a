/**
 * A transport that puts every message on record before it leaves. It stands between the exchange and the network, so
 * that nothing gets past it: a message that cannot be recorded is not sent.
 */
import { concatBytes } from "@noble/hashes/utils.js";
import { type CreateSha256, contentIdOf } from "../../protocol/content-id.ts";
import { FRAME_HEADER_BYTES } from "../../protocol/frame.ts";
import type { GossipTopic } from "../../protocol/gossip-topics.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { StreamKind, StreamProtocol } from "../../protocol/stream-protocols.ts";
import type { EgressKind, EgressLedger } from "../interface/egress.ts";
import type { Logger } from "../interface/logger.ts";
import type { ToldAddresses } from "../interface/told-addresses.ts";
import type { ByteStream, GossipHandlers, Link, StreamHandler, Transport } from "../interface/transport.ts";

/** The transport that is recorded, and the record. */
export interface RecordedTransportDependencies {
  readonly transport: Transport;
  readonly ledger: EgressLedger;
  readonly logger: Logger;
  /** A faster hash of what is sent; the protocol's own when absent. */
  readonly createSha256?: CreateSha256;
  /** Spent of the privacy budget so far; undefined without one. */
  readonly epsilon: () => number | undefined;
}

/** The same transport; where there is a budget, an own announcement and served bytes wait until the record is on disk. */
export function createRecordedTransport(dependencies: RecordedTransportDependencies): Transport {
  return new RecordedTransport(dependencies);
}

/** What leaves, as the ledger names it. */
interface Leaving {
  readonly kind: EgressKind;
  /** The stream protocol or gossip topic, by its name on the wire. */
  readonly protocol: string;
  readonly to: readonly PeerId[];
  readonly message: Uint8Array;
  /** What of the message is named by its hash; all of it when absent. */
  readonly hashed?: Uint8Array;
}

/** Kinds that cost privacy: with a budget they wait until the record is on disk. */
const COSTLY: readonly EgressKind[] = ["announcement", "update", "sketch"];

class RecordedTransport implements Transport {
  readonly #inner: Transport;
  readonly #dependencies: RecordedTransportDependencies;

  constructor(dependencies: RecordedTransportDependencies) {
    this.#inner = dependencies.transport;
    this.#dependencies = dependencies;
  }

  get peer(): PeerId {
    return this.#inner.peer;
  }

  handle(protocol: StreamProtocol, handler: StreamHandler): Promise<void> {
    return this.#inner.handle(protocol, (stream, from) =>
      handler(this.#recorded(stream, { protocol, to: from, kind: protocol.egress.answered }), from),
    );
  }

  async open(peer: PeerId, protocol: StreamProtocol, signal: AbortSignal): Promise<ByteStream> {
    const stream = await this.#inner.open(peer, protocol, signal);
    return this.#recorded(stream, { protocol, to: peer, kind: protocol.egress.opened });
  }

  subscribe<Message>(topic: GossipTopic, { validate, deliver }: GossipHandlers<Message>): void {
    this.#inner.subscribe<Message>(topic, {
      deliver,
      // Whatever is accepted is passed on, to everybody but where it came from.
      validate: (bytes, from) => {
        const judgement = validate(bytes, from);
        if (judgement.verdict === "accept") this.#recordRelay(topic, bytes, from);
        return judgement;
      },
    });
  }

  async publish(topic: GossipTopic, message: Uint8Array): Promise<void> {
    const to = this.#inner.connected();
    await this.#record({ kind: topic.egress.published, protocol: topic.name, to, message });
    await this.#inner.publish(topic, message);
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  get told(): ToldAddresses {
    return this.#inner.told;
  }

  addresses(): readonly string[] {
    return this.#inner.addresses();
  }

  dial(address: string, signal: AbortSignal, options?: { readonly isHearsay: boolean }): Promise<PeerId> {
    return this.#inner.dial(address, signal, options);
  }

  reaches(address: string, signal: AbortSignal): Promise<boolean> {
    return this.#inner.reaches(address, signal);
  }

  connected(): readonly PeerId[] {
    return this.#inner.connected();
  }

  originOf(peer: PeerId): string | undefined {
    return this.#inner.originOf(peer);
  }

  links(): readonly Link[] {
    return this.#inner.links();
  }

  hangUp(peer: PeerId): Promise<void> {
    return this.#inner.hangUp(peer);
  }

  onConnect(listener: (peer: PeerId) => void): void {
    this.#inner.onConnect(listener);
  }

  believable(addresses: readonly string[], from: PeerId): readonly string[] {
    return this.#inner.believable(addresses, from);
  }

  onDisconnect(listener: (peer: PeerId) => void): void {
    this.#inner.onDisconnect(listener);
  }

  onDiscovered(listener: (addresses: readonly string[]) => void): void {
    this.#inner.onDiscovered(listener);
  }

  onIdentified(listener: (peer: PeerId) => void): void {
    this.#inner.onIdentified(listener);
  }

  addressesOf(peer: PeerId): Promise<readonly string[]> {
    return this.#inner.addressesOf(peer);
  }

  bytes(): { readonly sent: number; readonly received: number } {
    return this.#inner.bytes();
  }

  figures(): Promise<string> {
    return this.#inner.figures();
  }

  #recorded(
    stream: ByteStream,
    { protocol, to, kind }: { readonly protocol: StreamProtocol; readonly to: PeerId; readonly kind: StreamKind },
  ): ByteStream {
    return {
      source: stream.source,
      // Messages are whole in memory before they are sent, cut in views of themselves.
      sink: async (source) => {
        const pieces: Uint8Array[] = [];
        for await (const piece of source) pieces.push(piece);
        const message = concatBytes(...pieces);
        const body = bodyOf(kind, message);
        const isThere = body.byteLength > 0;
        const what = isThere ? { kind, hashed: body } : { kind: "answer" as const };
        if (message.byteLength > 0) await this.#record({ ...what, protocol: protocol.name, to: [to], message });
        await stream.sink(pieces);
      },
      abort: (reason) => stream.abort(reason),
    };
  }

  #recordRelay(topic: GossipTopic, message: Uint8Array, from: PeerId): void {
    const to = this.#inner.connected().filter((peer) => peer !== from);
    if (to.length === 0) return;
    this.#record({ kind: topic.egress.relayed, protocol: topic.name, to, message }).catch((error: unknown) =>
      this.#dependencies.logger.warn("a relayed announcement is not on record", { error }),
    );
  }

  async #record({ kind, protocol, to, message, hashed = message }: Leaving): Promise<void> {
    const { ledger, epsilon, createSha256 } = this.#dependencies;
    const spent = epsilon();
    const content = contentIdOf(hashed, createSha256);
    await ledger.append({ kind, protocol, to, bytes: message.byteLength, content, epsilon: spent ?? null });
    if (spent !== undefined && COSTLY.includes(kind)) await ledger.sync();
  }
}

/** What of a message is named by its hash: bytes of an update or a sketch without what frames them, empty without any. */
function bodyOf(kind: StreamKind, message: Uint8Array): Uint8Array {
  if (kind === "sketch") return message.subarray(FRAME_HEADER_BYTES);
  return kind === "update" ? behindFirstFrame(message) : message;
}

/** What stands behind the header of an answer to a request for bytes. */
function behindFirstFrame(message: Uint8Array): Uint8Array {
  if (message.byteLength < FRAME_HEADER_BYTES) return new Uint8Array();
  const length = new DataView(message.buffer, message.byteOffset).getUint32(0);
  return message.subarray(FRAME_HEADER_BYTES + length);
}
