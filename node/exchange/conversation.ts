/** The steps that conversations are made of: ask one question, answer one, answer neighbours only. */
import { pipe } from "it-pipe";
import { encodeFrame } from "../../protocol/frame.ts";
import { mayFetch } from "../../protocol/membership/roles.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { StreamProtocol } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Neighbours } from "../interface/neighbours.ts";
import type { ByteStream, Transport } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import { cut, oneFrame } from "./byte-pipeline.ts";
import { answerWithin, type Call, withStream } from "./deadline.ts";

/** The needs of each conversation with neighbours. */
export interface ConversationDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly background: Background;
  readonly neighbours: Neighbours;
}

/**
 * Send one message in a frame and read the one that answers it.
 * Throws: NodeError STREAM_FAILED, TIMEOUT, FRAME_INVALID; ProtocolError TOO_LARGE.
 */
export async function ask(
  caller: Pick<ConversationDependencies, "transport" | "clock">,
  call: Call,
  message: Uint8Array,
): Promise<Uint8Array> {
  return await withStream(caller, call, async ({ source, sink }) => {
    await pipe([encodeFrame(message)], cut, sink);
    return await pipe(source, oneFrame(call.protocol.bytesMax.answered));
  });
}

/**
 * Read one message and answer it with the one that `respond` makes of it.
 * Throws: NodeError FRAME_INVALID; ProtocolError TOO_LARGE; every error of `respond`.
 */
export async function answer(
  { source, sink }: ByteStream,
  { bytesMax }: StreamProtocol,
  respond: (message: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<void> {
  const message = await pipe(source, oneFrame(bytesMax.opened));
  await pipe([encodeFrame(await respond(message))], cut, sink);
}

/** Which streams are answered, and how long one may take. */
export interface NeighbourCalls {
  readonly protocol: StreamProtocol;
  readonly timeoutMs: number;
  /** The act that only neighbours may do, as the refusal of another peer names it. */
  readonly did: string;
}

/** Answer streams of neighbours, each within the time; `respond` may refuse by throwing. */
export async function answerNeighbours(
  { transport, clock, neighbours }: Pick<ConversationDependencies, "transport" | "clock" | "neighbours">,
  { protocol, timeoutMs, did }: NeighbourCalls,
  respond: (stream: ByteStream, from: PeerId) => Promise<void>,
): Promise<void> {
  await transport.handle(protocol, async (stream, from) => {
    if (!neighbours.has(from)) throw new NodeError("NOT_ADMITTED", `${from} ${did} before its handshake`);
    await answerWithin(clock, { stream, timeoutMs, protocol }, (answered) => respond(answered, from));
  });
}

/** Refuse a neighbour whose role is not served messages of authors.  Throws: NodeError NOT_ADMITTED. */
export function requireFetcher(neighbours: Neighbours, from: PeerId, what: string): void {
  if (mayFetch(neighbours.roleOf(from))) return;
  throw new NodeError("NOT_ADMITTED", `${from} asked for ${what}, which its role does not get`);
}
