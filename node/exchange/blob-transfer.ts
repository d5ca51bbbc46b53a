/**
 * Bytes by content id over `/weft/blob/1`: ask, get a header, get the bytes. The asking peer knows their length and
 * hash beforehand, from a signed announcement, and takes nothing else.
 */

import { bytesToHex } from "@noble/hashes/utils.js";
import { pipe } from "it-pipe";
import {
  type BlobHeader,
  decodeBlobHeader,
  decodeBlobRequest,
  encodeBlobHeader,
  encodeBlobRequest,
} from "../../protocol/blob.ts";
import { type ContentId, type CreateSha256, createPortableSha256 } from "../../protocol/content-id.ts";
import { encodeFrame, FRAME_HEADER_BYTES } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { ByteStream, Transport } from "../interface/transport.ts";
import { type ByteSource, bounded, createFrameReader, cut, oneFrame } from "./byte-pipeline.ts";
import { answerNeighbours, type ConversationDependencies, requireFetcher } from "./conversation.ts";
import { withStream } from "./deadline.ts";
import { type PaceLimits, PaceWatch } from "./pace-watch.ts";

/** The needs of these conversations, and the bytes to serve. */
export interface BlobTransferDependencies extends ConversationDependencies {
  /** The bytes of a content id that this peer hands out. */
  readonly find: (contentId: ContentId) => Uint8Array | undefined;
  readonly createSha256?: CreateSha256;
}

/** Bounds on answers and requests. */
export interface BlobTransferOptions {
  /** Requests of one peer that are answered at the same time; further ones are told to come back. */
  readonly requestsPerPeerMax: number;
  /** Of one request. */
  readonly timeoutMs: number;
  /** Of who is asked, within the time of one request. */
  readonly firstByteTimeoutMs: number;
  readonly paceBytesMin: number;
  readonly paceWindowMs: number;
}

/** Answers requests of neighbours whose role gets updates, and asks for bytes. */
export class BlobTransfer implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.blob;
  readonly #dependencies: BlobTransferDependencies;
  readonly #options: BlobTransferOptions;
  readonly #serving = new Map<PeerId, number>();

  constructor(dependencies: BlobTransferDependencies, options: BlobTransferOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { timeoutMs, requestsPerPeerMax } = this.#options;
    const calls = { protocol: this.protocol, timeoutMs, did: "asked for bytes" };
    await answerNeighbours(this.#dependencies, calls, async (stream, from) => {
      requireFetcher(this.#dependencies.neighbours, from, "bytes");
      const count = (this.#serving.get(from) ?? 0) + 1;
      this.#serving.set(from, count);
      try {
        await this.#answer(stream, count > requestsPerPeerMax);
      } finally {
        const left = (this.#serving.get(from) ?? 1) - 1;
        if (left === 0) this.#serving.delete(from);
        else this.#serving.set(from, left);
      }
    });
  }

  async stop(): Promise<void> {}

  /** As `fetchBlob`, within the time of one request. */
  fetch(request: Omit<BlobRequest, "timeoutMs" | "pace">): Promise<Uint8Array> {
    const { timeoutMs } = this.#options;
    return fetchBlob(this.#dependencies, { ...request, timeoutMs, pace: this.#options });
  }

  async #answer(stream: ByteStream, busy: boolean): Promise<void> {
    const request = await pipe(stream.source, oneFrame(this.protocol.bytesMax.opened));
    const bytes = busy ? undefined : this.#dependencies.find(decodeBlobRequest(request));
    const header: BlobHeader = busy
      ? { status: "busy" }
      : bytes === undefined
        ? { status: "not-found" }
        : { status: "found", length: bytes.byteLength };
    await pipe([encodeFrame(encodeBlobHeader(header)), ...(bytes === undefined ? [] : [bytes])], cut, stream.sink);
  }
}

/** Bytes that are wanted from one peer. */
export interface BlobRequest {
  readonly peer: PeerId;
  readonly contentId: ContentId;
  /** Bytes that were announced; where nothing was, the most that are taken. At most LIMITS.updateBytesMax. */
  readonly length: number | { readonly max: number };
  readonly timeoutMs: number;
  /** What is expected of the other side within that time; nothing more when absent. */
  readonly pace?: PaceLimits;
  readonly signal: AbortSignal;
  /** Called when the other side has begun to hand them out. */
  readonly onBegun?: () => void;
}

/**
 * Fetch the bytes of a content id from one peer.
 * Throws: NodeError BLOB_MISSING, BLOB_BUSY, BLOB_CUT (the end came too soon), BLOB_LENGTH (too long, or another length than
 * announced), BLOB_HASH, FRAME_INVALID, STREAM_FAILED, TIMEOUT; ProtocolError for a header that does not decode.
 */
export async function fetchBlob(
  dependencies: { readonly transport: Transport; readonly clock: Clock; readonly createSha256?: CreateSha256 },
  { peer, contentId, length, timeoutMs, pace, signal, onBegun }: BlobRequest,
): Promise<Uint8Array> {
  const lengthMax = typeof length === "number" ? length : length.max;
  if (lengthMax > LIMITS.updateBytesMax) {
    throw new NodeError("BLOB_LENGTH", `${lengthMax} bytes are more than an update may have`, { length: lengthMax });
  }
  const watch = new PaceWatch(dependencies, { signal, pace });
  const call = { peer, protocol: STREAM_PROTOCOLS.blob, timeoutMs, signal: watch.signal };
  try {
    return await withStream(dependencies, call, async (stream) => {
      await pipe([encodeFrame(encodeBlobRequest(contentId))], cut, stream.sink);
      const bytesMax = FRAME_HEADER_BYTES + LIMITS.blobHeaderBytesMax + lengthMax;
      const expected = { contentId, length, onBegun };
      const taken = verified(expected, dependencies.createSha256);
      return await pipe(stream.source, watch.paced, bounded(bytesMax), taken);
    });
  } finally {
    watch.stop();
  }
}

type Expected = Pick<BlobRequest, "contentId" | "length"> & { readonly onBegun?: (() => void) | undefined };

/** A sink that takes a reply: its header, as many bytes as expected, and only if they hash to `contentId`. */
function verified(
  expected: Expected,
  createSha256: CreateSha256 = createPortableSha256,
): (source: ByteSource) => Promise<Uint8Array> {
  return async (source) => {
    const header = createFrameReader(LIMITS.blobHeaderBytesMax);
    const hash = createSha256();
    let bytes: Uint8Array | undefined;
    let filled = 0;
    for await (const piece of source) {
      const rest = header.push(piece);
      if (bytes === undefined && header.isComplete()) {
        bytes = allocate(decodeBlobHeader(header.message()), expected);
        expected.onBegun?.();
      }
      if (bytes === undefined) continue;
      if (filled + rest.byteLength > bytes.byteLength) throw lengthError("more", expected);
      bytes.set(rest, filled);
      hash.update(rest);
      filled += rest.byteLength;
    }
    // Whoever stops, and whoever cuts the connection in between, leaves just that behind.
    if (bytes === undefined) throw cutError();
    if (filled < bytes.byteLength) throw cutError(filled, bytes.byteLength);
    if (bytesToHex(hash.digest()) !== expected.contentId) {
      throw new NodeError("BLOB_HASH", "the bytes are not those of the content id", { contentId: expected.contentId });
    }
    return bytes;
  };
}

function allocate(header: BlobHeader, expected: Expected): Uint8Array {
  switch (header.status) {
    case "not-found":
      throw new NodeError("BLOB_MISSING", "the peer does not have these bytes", { contentId: expected.contentId });
    case "busy":
      throw new NodeError("BLOB_BUSY", "the peer answers too many requests at the moment");
    case "found": {
      const { length } = expected;
      const isExpected = typeof length === "number" ? header.length === length : header.length <= length.max;
      if (!isExpected) throw lengthError("not", expected);
      return new Uint8Array(header.length);
    }
  }
}

/** The stream ended too soon, which is not the other side's doing alone: a connection may be cut on its way. */
function cutError(came = 0, said?: number): NodeError {
  const where = said === undefined ? "before the answer did" : `after ${came} of ${said} bytes`;
  return new NodeError("BLOB_CUT", `the stream ended ${where}`, { came, said });
}

function lengthError(how: "more" | "not", { contentId, length }: Expected): NodeError {
  const what = typeof length === "number" ? `the announced ${length} bytes` : `at most ${length.max} bytes`;
  const text = `${how === "not" ? how : "more than"} ${what} came`;
  return new NodeError("BLOB_LENGTH", text, { contentId, length });
}
