/** A neighbour that passes the handshake and then sends whatever a test wants: what peers have to withstand. */
import { signAnnouncement } from "../../protocol/announcement.ts";
import { type BlobHeader, encodeBlobHeader } from "../../protocol/blob.ts";
import { contentIdOf } from "../../protocol/content-id.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { announcementTopic } from "../../protocol/gossip-topics.ts";
import { answerHello, encodeHello } from "../../protocol/handshake.ts";
import { encodeHeads } from "../../protocol/heads.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { parsePeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../../protocol/stream-protocols.ts";
import { signUpdate, type UpdateFields } from "../../protocol/update.ts";
import { ENCODING_FLOAT32, float32Payload } from "../../protocol/vectors/example-network.ts";
import type { Transport } from "../interface/transport.ts";
import { patient, silentLogger, until } from "../system/network/transport.suite.ts";
import { MANIFEST, secretKeyOf, signerOf, type TestNet, type TestPeer, thetaOf } from "./exchange.suite.ts";

export interface Impostor {
  readonly transport: Transport;
  readonly signer: Signer;
  /** Connect without a handshake of its own; it answers the victim's only when `answers` was set. */
  dial(victim: TestPeer): Promise<void>;
  /** Connect and pass the handshake. */
  enter(victim: TestPeer): Promise<void>;
  /** Send raw bytes on a protocol, close, and read the answer; the error when the stream broke. */
  send(victim: TestPeer, protocol: StreamProtocol, bytes: readonly Uint8Array[]): Promise<Uint8Array | Error>;
  sendHeads(victim: TestPeer, announcements: readonly Uint8Array[]): Promise<void>;
  gossip(bytes: Uint8Array): Promise<void>;
  /** What it answers to every request for bytes: the raw pieces; "hang": nothing, for as long as it is asked. */
  serve(reply: (() => readonly Uint8Array[]) | "hang" | undefined): void;
  /** Requests for bytes so far. */
  requests(): number;
  stop(): Promise<void>;
}

export async function createImpostor(
  net: TestNet,
  {
    seed,
    answers = true,
    manifest = MANIFEST,
  }: { readonly seed: number; readonly answers?: boolean; readonly manifest?: NetworkManifest },
): Promise<Impostor> {
  const transport = await net.transport(secretKeyOf(seed), silentLogger);
  const signer = signerOf(seed);
  let reply: (() => readonly Uint8Array[]) | "hang" | undefined;
  let requests = 0;
  const stopping = Promise.withResolvers<void>();
  await transport.handle(STREAM_PROTOCOLS.handshake, async (stream, from) => {
    const request = await collect(stream.source);
    if (!answers) await stopping.promise;
    const context = { manifest, isMember: () => true, busy: false };
    await stream.sink([encodeFrame(answerHello(request.subarray(4), parsePeerId(from), context).reply)]);
  });
  await transport.handle(STREAM_PROTOCOLS.heads, async (stream) => {
    await collect(stream.source);
    await stream.sink([encodeFrame(encodeHeads([]))]);
  });
  await transport.handle(STREAM_PROTOCOLS.blob, async (stream) => {
    requests++;
    await collect(stream.source);
    if (reply === "hang") await stopping.promise;
    await stream.sink(
      (reply === "hang" ? undefined : reply?.()) ?? [encodeFrame(encodeBlobHeader({ status: "not-found" }))],
    );
  });
  transport.subscribe(announcementTopic(networkId(manifest)), {
    validate: () => ({ verdict: "accept", message: undefined }),
    deliver: () => {},
  });
  await transport.start();

  const send: Impostor["send"] = async (victim, protocol, bytes) => {
    try {
      const stream = await transport.open(victim.id, protocol, patient());
      const [answer] = await Promise.all([collect(stream.source), stream.sink(bytes)]);
      return answer;
    } catch (error) {
      return error as Error;
    }
  };
  const dial = async (victim: TestPeer): Promise<void> => {
    await transport.dial(victim.transport.addresses()[0]!, patient());
  };
  return {
    transport,
    signer,
    dial,
    send,
    async enter(victim) {
      await dial(victim);
      await send(victim, STREAM_PROTOCOLS.handshake, [encodeFrame(encodeHello(manifest))]);
      await until(() => victim.exchange.admitted().includes(signer.peer));
    },
    async sendHeads(victim, announcements) {
      const answer = await send(victim, STREAM_PROTOCOLS.heads, [encodeFrame(encodeHeads(announcements))]);
      if (answer instanceof Error) throw answer;
    },
    gossip: (bytes) => transport.publish(announcementTopic(networkId(manifest)), bytes),
    serve: (next) => {
      reply = next;
    },
    requests: () => requests,
    stop() {
      stopping.resolve();
      return transport.stop();
    },
  };
}

/** An update and its announcement, signed; `fields` replaces what an honest author would write. */
export function forge(
  seed: number,
  fields: Partial<UpdateFields> = {},
  announced: { readonly bytesLength?: number } = {},
): { readonly envelope: Uint8Array; readonly announcement: Uint8Array } {
  const signer = signerOf(seed);
  const update: UpdateFields = {
    networkId: networkId(MANIFEST),
    round: 0,
    sequence: 0,
    previous: fields.sequence === undefined || fields.sequence === 0 ? undefined : contentIdOf(new Uint8Array()),
    localSteps: 1,
    sampleCount: 1,
    encoding: ENCODING_FLOAT32,
    payload: float32Payload(thetaOf(seed, fields.round ?? 0)),
    ...fields,
  };
  const { bytes: envelope, contentId } = signUpdate(update, signer);
  const announcement = signAnnouncement(
    { ...update, contentId, bytesLength: announced.bytesLength ?? envelope.byteLength },
    signer,
  );
  return { envelope, announcement };
}

export function blobReply(header: BlobHeader, ...bytes: readonly Uint8Array[]): readonly Uint8Array[] {
  return [encodeFrame(encodeBlobHeader(header)), ...bytes];
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}
