/**
 * Sketches over `/weft/sketch/1`: a peer asks for the sketch of an author it hears of, the author itself or, where that is
 * not connected, its neighbours, and keeps the first one that is valid. Nobody is sent a sketch unasked.
 */
import { openEnvelope, type Signer, verifyEnvelope } from "../../protocol/envelope.ts";
import type { JudgeContext } from "../../protocol/judge-context.ts";
import { mayFetch, maySend } from "../../protocol/membership/roles.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import {
  decodeSketchRequest,
  readSketch,
  type SignedSketch,
  type SketchComponent,
  signSketch,
} from "../../protocol/sketch.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { judgeSketch } from "../../protocol/verdict.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { Sketches } from "../interface/sketches.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import { answer, answerNeighbours, type ConversationDependencies, requireFetcher } from "./conversation.ts";
import { SketchFetcher, type SketchFetchLimits } from "./sketch-fetcher.ts";

/** The needs of these conversations, the store of sketches, and the signer. */
export interface SketchExchangeDependencies extends ConversationDependencies {
  readonly store: Store;
  readonly signer: Signer;
  /** Whether an author's messages may be used and handed on. */
  readonly isKept: (author: PeerId) => boolean;
  /** Whether this peer's own may be told: not before it was heard what its key has signed elsewhere. */
  readonly mayTellOwn: () => boolean;
  /** Called once, when that was heard. */
  readonly onCleared: (listener: () => void) => void;
}

/** Rules of judging sketches, and bounds. */
export interface SketchExchangeOptions extends SketchFetchLimits {
  readonly networkId: NetworkId;
  readonly judge: () => Pick<JudgeContext, "isMember" | "maySend" | "verify">;
  /** Authors whose sketches are kept; of more the one that came first is forgotten. */
  readonly authorsMax: number;
}

/** Somebody who asks for this peer's own sketch right after it has greeted waits so long for what that peer itself is asked. */
const CLEARING_MS_MAX = 2_000;

const PREFIX = "sketch/";
const keyOf = (author: string): string => `${PREFIX}${author}`;

/** Whether a store holds a sketch of the peer whose store it is. */
export const hasSketch = async (store: Store, peer: string): Promise<boolean> =>
  (await store.get(keyOf(peer))) !== undefined;

interface KeptSketch {
  readonly envelope: Uint8Array;
  readonly sketch: SignedSketch;
}

/** Asks for sketches, keeps them and hands them out. */
export class SketchExchange implements Conversation, Sketches {
  readonly protocol = STREAM_PROTOCOLS.sketch;
  readonly #dependencies: SketchExchangeDependencies;
  readonly #options: SketchExchangeOptions;
  readonly #self: PeerId;
  /** By author, the one that came first in front; this peer's own is among them. */
  readonly #kept = new Map<PeerId, KeptSketch>();
  readonly #fetcher: SketchFetcher;
  #isCleared = false;
  #waiting: (() => void)[] = [];

  constructor(dependencies: SketchExchangeDependencies, options: SketchExchangeOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#self = dependencies.signer.peer;
    dependencies.onCleared(() => {
      this.#isCleared = true;
      for (const resume of this.#waiting.splice(0)) resume();
    });
    this.#fetcher = new SketchFetcher({ ...dependencies, take: (bytes, whose) => this.#take(bytes, whose) }, options);
  }

  /** Read the store; a sketch that fails its check is dropped there too.  Throws: NodeError STORE_FAILED, DISK_FULL. */
  async load(): Promise<void> {
    const { store, logger } = this.#dependencies;
    const drop: StoreChange[] = [];
    for await (const [key, envelope] of store.entries(PREFIX)) {
      const sketch = readKept(envelope, this.#options.networkId);
      const isFull = this.#kept.size > this.#options.authorsMax;
      if (sketch === undefined || keyOf(sketch.author) !== key || isFull) drop.push({ delete: key });
      else this.#kept.set(sketch.author, { envelope, sketch });
    }
    if (drop.length > 0) {
      logger.warn("sketches in the store were dropped: they do not verify, or are too many", { count: drop.length });
      await store.batch(drop);
    }
  }

  async start(): Promise<void> {
    const { neighbours } = this.#dependencies;
    const { protocol } = this;
    const calls = { protocol, timeoutMs: this.#options.timeoutMs, did: "asked for a sketch" };
    await answerNeighbours(this.#dependencies, calls, async (stream, from) => {
      requireFetcher(neighbours, from, "a sketch");
      await answer(stream, protocol, async (request) => {
        const author = decodeSketchRequest(request);
        if (author === this.#self) await this.#cleared();
        return this.#find(author);
      });
    });
    neighbours.onAdmitted((peer) => {
      if (maySend(neighbours.roleOf(peer), "sketch")) this.want(peer);
    });
  }

  async stop(): Promise<void> {}

  /** Something of this author was heard: its sketch is asked for, unless it is here or on its way. */
  want(author: PeerId): void {
    const { neighbours } = this.#dependencies;
    if (!mayFetch(neighbours.roleOf(this.#self)) || author === this.#self || this.#kept.has(author)) return;
    this.#fetcher.want(author);
  }

  isAuthor(): boolean {
    return maySend(this.#dependencies.neighbours.roleOf(this.#self), "sketch");
  }

  async publish(components: readonly SketchComponent[]): Promise<void> {
    if (this.#kept.has(this.#self)) return;
    const { networkId } = this.#options;
    const envelope = signSketch({ networkId, components }, this.#dependencies.signer);
    await this.#keep(this.#self, envelope, readSketch(envelope));
  }

  own(): readonly SketchComponent[] | undefined {
    return this.#kept.get(this.#self)?.sketch.components;
  }

  of(author: string): readonly SketchComponent[] | undefined {
    const peer = parsePeerId(author);
    return this.#dependencies.isKept(peer) ? this.#kept.get(peer)?.sketch.components : undefined;
  }

  async #keep(author: PeerId, envelope: Uint8Array, sketch: SignedSketch): Promise<void> {
    const changes: StoreChange[] = [{ put: keyOf(author), value: envelope }];
    const others = [...this.#kept.keys()].filter((peer) => peer !== this.#self);
    const [oldest] = others;
    if (author !== this.#self && oldest !== undefined && others.length >= this.#options.authorsMax) {
      this.#kept.delete(oldest);
      changes.push({ delete: keyOf(oldest) });
    }
    this.#kept.set(author, { envelope, sketch });
    await this.#dependencies.store.batch(changes);
  }

  /** Whether what a neighbour sent is the sketch of an author; it is kept then. */
  async #take(
    bytes: Uint8Array,
    { author, from }: { readonly author: PeerId; readonly from: PeerId },
  ): Promise<boolean> {
    const { networkId, judge } = this.#options;
    const judged = judgeSketch(bytes, { networkId, self: this.#self, author, ...judge() });
    if (judged.kind !== "accept") {
      const { logger, neighbours } = this.#dependencies;
      logger.debug("a sketch was refused", { author, from, code: judged.code });
      if (judged.kind === "reject") neighbours.blame(from);
      return false;
    }
    // A copy: the bytes are a view into the frame. Another provider may have been as fast.
    const envelope = bytes.slice();
    if (!this.#kept.has(author)) await this.#keep(author, envelope, readSketch(envelope));
    return true;
  }

  /** Resolves when a neighbour has said what it remembers of this peer, or after a while. */
  async #cleared(): Promise<void> {
    if (this.#isCleared) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#dependencies.clock.after(CLEARING_MS_MAX, resolve);
      this.#waiting.push(() => {
        cancel();
        resolve();
      });
    });
  }

  #find(author: PeerId): Uint8Array {
    const { mayTellOwn, isKept } = this.#dependencies;
    const isShown = author === this.#self ? mayTellOwn() : isKept(author);
    return (isShown ? this.#kept.get(author)?.envelope : undefined) ?? new Uint8Array();
  }
}

/** A sketch from the store, verified; undefined where it is not a sketch of this network. */
function readKept(envelope: Uint8Array, networkId: NetworkId): SignedSketch | undefined {
  try {
    const sketch = readSketch(envelope);
    return sketch.networkId === networkId && verifyEnvelope(openEnvelope("sketch", envelope)) ? sketch : undefined;
  } catch {
    // Not a sketch; the caller says so.
    return undefined;
  }
}
