/**
 * Checkups over `/weft/checkup/1`: a peer asks a neighbour for its time and to dial it anew, so that its operator learns of
 * a wrong clock and of addresses at which nobody gets through. Only neighbours are answered, and not often, because each
 * answer may cost some dials.
 */
import { pipe } from "it-pipe";
import {
  type CheckupReply,
  decodeCheckupReply,
  decodeCheckupRequest,
  encodeCheckupReply,
  encodeCheckupRequest,
} from "../../protocol/checkup.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Transport } from "../interface/transport.ts";
import { cut, oneFrame } from "./byte-pipeline.ts";
import { answerWithin, withStream } from "./deadline.ts";

export interface CheckupDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly isAdmitted: (peer: PeerId) => boolean;
  /** Its request could not be read. */
  readonly onFault: (from: PeerId) => void;
}

export interface CheckupOptions {
  /** Of a whole checkup, the dials in it included. */
  readonly timeoutMs: number;
  /** Shortest time between two checkups of one neighbour that are answered. */
  readonly intervalMs: number;
}

/** What a neighbour found. */
export interface Checkup extends CheckupReply {
  /** By this peer's clock: the neighbour looked at its own somewhere in between. */
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
}

/** Answer the checkups of neighbours. */
export async function serveCheckups(
  { transport, clock, isAdmitted, onFault }: CheckupDependencies,
  { timeoutMs, intervalMs }: CheckupOptions,
): Promise<void> {
  const answeredAtMs = new Map<PeerId, number>();
  transport.onDisconnect((peer) => {
    const lastMs = answeredAtMs.get(peer);
    // Who comes back at once has to wait like who stayed.
    if (lastMs !== undefined) clock.after(intervalMs, () => answeredAtMs.delete(peer));
  });
  await transport.handle(STREAM_PROTOCOLS.checkup, async (stream, from) => {
    if (!isAdmitted(from)) throw new NodeError("NOT_ADMITTED", `${from} asked for a checkup before its handshake`);
    const nowMs = clock.now();
    if (nowMs - (answeredAtMs.get(from) ?? Number.NEGATIVE_INFINITY) < intervalMs) {
      throw new NodeError("TOO_OFTEN", `${from} asks for a checkup more often than every ${intervalMs} ms`);
    }
    answeredAtMs.set(from, nowMs);
    await answerWithin(clock, { stream, timeoutMs, protocol: STREAM_PROTOCOLS.checkup }, async ({ source, sink }) => {
      const addresses = await request(await pipe(source, oneFrame(LIMITS.checkupBytesMax)), from, onFault);
      const timeMs = clock.now();
      const controller = new AbortController();
      // Half of the time, so that the reply still gets there.
      const cancel = clock.after(timeoutMs / 2, () => controller.abort(new Error("the checkup takes too long")));
      try {
        const reached = await Promise.all(addresses.map((address) => transport.reaches(address, controller.signal)));
        await pipe([encodeFrame(encodeCheckupReply({ timeMs, reached }))], cut, sink);
      } finally {
        cancel();
      }
    });
  });
}

async function request(bytes: Uint8Array, from: PeerId, onFault: (from: PeerId) => void): Promise<readonly string[]> {
  try {
    return decodeCheckupRequest(bytes, parsePeerId(from));
  } catch (error) {
    if (error instanceof ProtocolError) onFault(from);
    throw error;
  }
}

/**
 * Ask a neighbour for a checkup; at most `LIMITS.addressesPerPeerMax` addresses of this peer.
 * Throws: NodeError STREAM_FAILED, TIMEOUT, FRAME_INVALID; ProtocolError.
 */
export async function askForCheckup(
  { transport, clock }: Pick<CheckupDependencies, "transport" | "clock">,
  call: { readonly peer: PeerId; readonly addresses: readonly string[]; readonly signal: AbortSignal },
  { timeoutMs }: Pick<CheckupOptions, "timeoutMs">,
): Promise<Checkup> {
  const { peer, addresses, signal } = call;
  const message = encodeFrame(encodeCheckupRequest(addresses, parsePeerId(transport.peer)));
  const askedAtMs = clock.now();
  const bytes = await withStream(
    { transport, clock },
    { peer, protocol: STREAM_PROTOCOLS.checkup, timeoutMs, signal },
    async ({ source, sink }) => {
      await pipe([message], cut, sink);
      return await pipe(source, oneFrame(LIMITS.checkupBytesMax));
    },
  );
  return { ...decodeCheckupReply(bytes, addresses.length), askedAtMs, answeredAtMs: clock.now() };
}
