/**
 * Heads over `/weft/heads/1`: both sides of a stream send the newest announcement of every author they know, so that
 * nothing that was published early is lost, and a late joiner catches up with one round trip.
 */

import { pipe } from "it-pipe";
import { encodeFrame } from "../../protocol/frame.ts";
import { decodeHeads, encodeHeads } from "../../protocol/heads.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Transport } from "../interface/transport.ts";
import { cut, oneFrame } from "./byte-pipeline.ts";
import { answerWithin, withStream } from "./deadline.ts";

export interface HeadExchangeDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly isAdmitted: (peer: PeerId) => boolean;
  /** Announcement envelopes to send, at most LIMITS.headsCountMax. */
  readonly heads: () => readonly Uint8Array[];
  /** What the other side sent, not judged yet. */
  readonly onHeads: (announcements: readonly Uint8Array[], from: PeerId) => void;
  /** Its message could not be read. */
  readonly onFault: (from: PeerId, error: unknown) => void;
}

export interface HeadExchange {
  start(): Promise<void>;
  /** Exchange heads with one admitted peer.  Throws: NodeError FRAME_INVALID, STREAM_FAILED, TIMEOUT; ProtocolError. */
  exchange(peer: PeerId, signal: AbortSignal): Promise<void>;
}

export function createHeadExchange(
  { transport, clock, isAdmitted, heads, onHeads, onFault }: HeadExchangeDependencies,
  { timeoutMs }: { readonly timeoutMs: number },
): HeadExchange {
  const message = (): Uint8Array => encodeFrame(encodeHeads(heads()));
  const receive = (bytes: Uint8Array, from: PeerId): void => {
    let announcements: readonly Uint8Array[];
    try {
      announcements = decodeHeads(bytes);
    } catch (error) {
      onFault(from, error);
      throw error;
    }
    onHeads(announcements, from);
  };
  return {
    async start() {
      await transport.handle(STREAM_PROTOCOLS.heads, async (stream, from) => {
        if (!isAdmitted(from)) throw new NodeError("NOT_ADMITTED", `${from} asked for heads before its handshake`);
        await answerWithin(clock, { stream, timeoutMs, protocol: STREAM_PROTOCOLS.heads }, async ({ source, sink }) => {
          const bytes = await pipe(source, oneFrame(LIMITS.headsBytesMax));
          await pipe([message()], cut, sink);
          receive(bytes, from);
        });
      });
    },
    async exchange(peer, signal) {
      const call = { peer, protocol: STREAM_PROTOCOLS.heads, timeoutMs, signal };
      const bytes = await withStream({ transport, clock }, call, async ({ source, sink }) => {
        await pipe([message()], cut, sink);
        return await pipe(source, oneFrame(LIMITS.headsBytesMax));
      });
      receive(bytes, peer);
    },
  };
}
