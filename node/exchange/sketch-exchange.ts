/**
 * Sketches over `/weft/sketch/1`: a peer asks for the sketch of an author it hears of, the author itself or, where that is
 * not connected, its neighbours, and keeps the first one that is valid. Nobody is sent a sketch unasked.
 */
import { pipe } from "it-pipe";
import { openEnvelope, type Signer, verifyEnvelope } from "../../protocol/envelope.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import type { JudgeContext } from "../../protocol/judge-context.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import {
  decodeSketchRequest,
  encodeSketchRequest,
  readSketch,
  type SignedSketch,
  signSketch,
} from "../../protocol/sketch.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { judgeSketch } from "../../protocol/verdict.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Sketches } from "../interface/sketches.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import { cut, oneFrame } from "./byte-pipeline.ts";
import { answerWithin, withStream } from "./deadline.ts";

export interface SketchExchangeDependencies {
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signer: Signer;
  readonly background: Background;
  readonly admitted: () => readonly PeerId[];
  readonly isAdmitted: (peer: PeerId) => boolean;
  /** Whether an admitted peer can be asked for sketches. */
  readonly answers: (peer: PeerId) => boolean;
  /** Whether an admitted peer is served sketches. */
  readonly mayFetch: (peer: PeerId) => boolean;
  /** Whether this peer's role lets it send a sketch. */
  readonly isAuthor: () => boolean;
  /** Whether what an author sent may be used and handed on. */
  readonly isKept: (author: PeerId) => boolean;
  /** What it sent had to be rejected. */
  readonly onFault: (from: PeerId) => void;
}

export interface SketchExchangeOptions {
  readonly networkId: NetworkId;
  readonly judge: () => Pick<JudgeContext, "isMember" | "maySend" | "verify">;
  /** Authors whose sketches are kept; of more the one that came first is forgotten. */
  readonly authorsMax: number;
  /** Authors whose sketches are asked for at the same time; more have to wait until they are heard of again. */
  readonly fetchesMax: number;
  /** Neighbours that are asked for one sketch. */
  readonly providersMax: number;
  readonly timeoutMs: number;
}

export interface SketchExchange extends Sketches {
  /** Read the store; what is not verified is dropped there too.  Throws: NodeError STORE_FAILED, DISK_FULL. */
  load(): Promise<void>;
  /** Answer who asks. */
  start(): Promise<void>;
  /** Something of this author was heard: its sketch is asked for, unless it is here or on its way. */
  want(author: PeerId): void;
}

const PREFIX = "sketch/";
const keyOf = (author: string): string => `${PREFIX}${author}`;

/** Whether a store holds a sketch of the peer whose store it is. */
export const hasSketch = async (store: Store, peer: string): Promise<boolean> =>
  (await store.get(keyOf(peer))) !== undefined;

interface KeptSketch {
  readonly envelope: Uint8Array;
  readonly sketch: SignedSketch;
}

export function createSketchExchange(
  dependencies: SketchExchangeDependencies,
  { networkId, judge, authorsMax, fetchesMax, providersMax, timeoutMs }: SketchExchangeOptions,
): SketchExchange {
  const { transport, store, clock, logger, signer, background, admitted, isAdmitted } = dependencies;
  const { mayFetch, isKept, onFault } = dependencies;
  /** By author, the one that came first in front; this peer's own is among them. */
  const kept = new Map<string, KeptSketch>();
  const asking = new Set<string>();

  const keep = async (author: PeerId, envelope: Uint8Array, sketch: SignedSketch): Promise<void> => {
    const changes: StoreChange[] = [{ put: keyOf(author), value: envelope }];
    const others = [...kept.keys()].filter((peer) => peer !== signer.peer);
    if (author !== signer.peer && others.length >= authorsMax) {
      kept.delete(others[0]!);
      changes.push({ delete: keyOf(others[0]!) });
    }
    kept.set(author, { envelope, sketch });
    await store.batch(changes);
  };

  const ask = async (author: PeerId, from: PeerId, signal: AbortSignal): Promise<boolean> => {
    const call = { peer: from, protocol: STREAM_PROTOCOLS.sketch, timeoutMs, signal };
    const bytes = await withStream({ transport, clock }, call, async ({ source, sink }) => {
      await pipe([encodeFrame(encodeSketchRequest(author))], cut, sink);
      return await pipe(source, oneFrame(LIMITS.sketchBytesMax));
    });
    if (bytes.byteLength === 0) return false;
    const judged = judgeSketch(bytes, { networkId, self: signer.peer, author, ...judge() });
    if (judged.kind !== "accept") {
      logger.debug("a sketch was refused", { author, from, code: judged.code });
      if (judged.kind === "reject") onFault(from);
      return false;
    }
    // A copy: the bytes are a view into the frame.
    const envelope = bytes.slice();
    await keep(author, envelope, readSketch(envelope));
    return true;
  };

  const fetch = async (author: PeerId, signal: AbortSignal): Promise<void> => {
    const neighbours = admitted().filter((peer) => peer !== author);
    const asked = [...(isAdmitted(author) ? [author] : []), ...neighbours].filter(dependencies.answers);
    const providers = asked.slice(0, providersMax);
    for (const from of providers) {
      try {
        if (await ask(author, from, signal)) return;
      } catch (error) {
        if (signal.aborted) return;
        logger.debug("a sketch did not come", { author, from, error });
      }
    }
  };

  const find = (author: PeerId): Uint8Array =>
    (author === signer.peer || isKept(author) ? kept.get(author)?.envelope : undefined) ?? new Uint8Array();

  return {
    isAuthor: dependencies.isAuthor,
    async load() {
      const drop: StoreChange[] = [];
      for await (const [key, envelope] of store.entries(PREFIX)) {
        const sketch = readKept(envelope, networkId);
        const isFull = kept.size > authorsMax;
        if (sketch === undefined || keyOf(sketch.author) !== key || isFull) drop.push({ delete: key });
        else kept.set(sketch.author, { envelope, sketch });
      }
      if (drop.length > 0) {
        logger.warn("sketches in the store were dropped: they do not verify, or are too many", { count: drop.length });
        await store.batch(drop);
      }
    },
    async start() {
      await transport.handle(STREAM_PROTOCOLS.sketch, async (stream, from) => {
        if (!isAdmitted(from)) throw new NodeError("NOT_ADMITTED", `${from} asked for a sketch before its handshake`);
        if (!mayFetch(from))
          throw new NodeError("NOT_ADMITTED", `${from} asked for a sketch, which its role does not get`);
        await answerWithin(
          clock,
          { stream, timeoutMs, protocol: STREAM_PROTOCOLS.sketch },
          async ({ source, sink }) => {
            const request = await pipe(source, oneFrame(LIMITS.blobHeaderBytesMax));
            await pipe([encodeFrame(find(decodeSketchRequest(request)))], cut, sink);
          },
        );
      });
    },
    want(peer) {
      if (peer === signer.peer || kept.has(peer) || asking.has(peer) || asking.size >= fetchesMax) return;
      asking.add(peer);
      const work = (signal: AbortSignal) => fetch(parsePeerId(peer), signal);
      void background.run("fetching a sketch", work).finally(() => asking.delete(peer));
    },
    async publish(components) {
      if (kept.has(signer.peer)) return;
      const envelope = signSketch({ networkId, components }, signer);
      await keep(signer.peer, envelope, readSketch(envelope));
    },
    own: () => kept.get(signer.peer)?.sketch.components,
    of: (author) => (isKept(parsePeerId(author)) ? kept.get(author)?.sketch.components : undefined),
  };
}

/** What the store holds, verified; undefined where it is not a sketch of this network. */
function readKept(envelope: Uint8Array, networkId: NetworkId): SignedSketch | undefined {
  try {
    const sketch = readSketch(envelope);
    return sketch.networkId === networkId && verifyEnvelope(openEnvelope("sketch", envelope)) ? sketch : undefined;
  } catch {
    // Not a sketch; the caller says so.
    return undefined;
  }
}
