/**
 * A transport that puts every message on record before it leaves. It stands between the exchange and the network, so
 * that nothing gets past it: a message that cannot be recorded is not sent.
 */
import { concatBytes } from "@noble/hashes/utils.js";
import { type CreateSha256, contentIdOf } from "../../protocol/content-id.ts";
import { FRAME_HEADER_BYTES } from "../../protocol/frame.ts";
import {
  ADDRESSES_PROTOCOL,
  ADMISSION_PROTOCOL,
  BLOB_PROTOCOL,
  CHECKUP_PROTOCOL,
  GENESIS_PROTOCOL,
  HANDSHAKE_PROTOCOL,
  HEADS_PROTOCOL,
  isRosterTopic,
  ROSTER_PROTOCOL,
  SKETCH_PROTOCOL,
} from "../../protocol/topic.ts";
import type { EgressKind, EgressLedger } from "../interface/egress.ts";
import type { Logger } from "../interface/logger.ts";
import type { ByteStream, PeerIdText, Transport } from "../interface/transport.ts";

export interface RecordedTransportDependencies {
  readonly transport: Transport;
  readonly ledger: EgressLedger;
  readonly logger: Logger;
  /** A faster hash of what is sent; the protocol's own when absent. */
  readonly createSha256?: CreateSha256;
  /** Spent of the privacy budget so far; undefined without one. */
  readonly epsilon: () => number | undefined;
}

/** What a message is, by its protocol and by who opened the stream. */
const KINDS: Readonly<Record<string, { readonly opened: EgressKind; readonly answered: EgressKind }>> = {
  [HANDSHAKE_PROTOCOL]: { opened: "handshake", answered: "handshake" },
  [HEADS_PROTOCOL]: { opened: "heads", answered: "heads" },
  [CHECKUP_PROTOCOL]: { opened: "checkup", answered: "checkup" },
  [ADDRESSES_PROTOCOL]: { opened: "addresses", answered: "addresses" },
  [ROSTER_PROTOCOL]: { opened: "roster", answered: "roster" },
  [ADMISSION_PROTOCOL]: { opened: "admission", answered: "admission" },
  [GENESIS_PROTOCOL]: { opened: "admission", answered: "admission" },
  [BLOB_PROTOCOL]: { opened: "request", answered: "update" },
  [SKETCH_PROTOCOL]: { opened: "request", answered: "sketch" },
};
const OTHER = { opened: "other", answered: "other" } as const;

/** The same transport; where there is a budget, an own announcement and served bytes wait until the record is on disk. */
export function createRecordedTransport(dependencies: RecordedTransportDependencies): Transport {
  const { transport, ledger, logger, epsilon, createSha256 } = dependencies;
  const record = async (
    {
      kind,
      protocol,
      to,
    }: { readonly kind: EgressKind; readonly protocol: string; readonly to: readonly PeerIdText[] },
    message: Uint8Array,
    hashed: Uint8Array = message,
  ): Promise<void> => {
    const spent = epsilon();
    const content = contentIdOf(hashed, createSha256);
    await ledger.append({ kind, protocol, to, bytes: message.byteLength, content, epsilon: spent ?? null });
    if (spent !== undefined && ["announcement", "update", "sketch"].includes(kind)) await ledger.sync();
  };
  const recorded = (stream: ByteStream, protocol: string, peer: PeerIdText, kind: EgressKind): ByteStream => ({
    source: stream.source,
    // Messages are whole in memory before they are sent, cut in views of themselves.
    sink: async (source) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of source) pieces.push(piece);
      const message = concatBytes(...pieces);
      const to = { protocol, to: [peer] };
      const body = bodyOf(kind, message);
      if (message.byteLength > 0)
        await record(
          { ...to, kind: body.byteLength > 0 ? kind : "answer" },
          message,
          body.byteLength > 0 ? body : message,
        );
      await stream.sink(pieces);
    },
    abort: (reason) => stream.abort(reason),
  });
  return {
    peer: transport.peer,
    start: () => transport.start(),
    stop: () => transport.stop(),
    addresses: () => transport.addresses(),
    dial: (address, signal) => transport.dial(address, signal),
    reaches: (address, signal) => transport.reaches(address, signal),
    connected: () => transport.connected(),
    hangUp: (peer) => transport.hangUp(peer),
    handle: (protocol, handler) => {
      const { answered } = KINDS[protocol] ?? OTHER;
      return transport.handle(protocol, (stream, from) => handler(recorded(stream, protocol, from, answered), from));
    },
    open: async (peer, protocol, signal) => {
      const { opened } = KINDS[protocol] ?? OTHER;
      return recorded(await transport.open(peer, protocol, signal), protocol, peer, opened);
    },
    subscribe: (topic, { validate, deliver }) =>
      transport.subscribe(topic, {
        deliver,
        // Whatever is accepted is passed on, to everybody but where it came from.
        validate: (bytes, from) => {
          const verdict = validate(bytes, from);
          const to = transport.connected().filter((peer) => peer !== from);
          if (verdict === "accept" && to.length > 0) {
            record({ kind: isRosterTopic(topic) ? "roster" : "relay", protocol: topic, to }, bytes).catch(
              (error: unknown) => logger.warn("a relayed announcement is not on record", { error }),
            );
          }
          return verdict;
        },
      }),
    publish: async (topic, bytes) => {
      const kind = isRosterTopic(topic) ? "roster" : "announcement";
      await record({ kind, protocol: topic, to: transport.connected() }, bytes);
      await transport.publish(topic, bytes);
    },
    onConnect: (listener) => transport.onConnect(listener),
    onDisconnect: (listener) => transport.onDisconnect(listener),
    onDiscovered: (listener) => transport.onDiscovered(listener),
    onIdentified: (listener) => transport.onIdentified(listener),
    addressesOf: (peer) => transport.addressesOf(peer),
    bytes: () => transport.bytes(),
  };
}

/** What of a message is named by its hash: bytes of an update or a sketch without what frames them, empty without any. */
function bodyOf(kind: EgressKind, message: Uint8Array): Uint8Array {
  if (kind === "sketch") return message.subarray(FRAME_HEADER_BYTES);
  return kind === "update" ? behindFirstFrame(message) : message;
}

/** What stands behind the header of an answer to a request for bytes. */
function behindFirstFrame(message: Uint8Array): Uint8Array {
  if (message.byteLength < FRAME_HEADER_BYTES) return new Uint8Array();
  const length = new DataView(message.buffer, message.byteOffset).getUint32(0);
  return message.subarray(FRAME_HEADER_BYTES + length);
}
