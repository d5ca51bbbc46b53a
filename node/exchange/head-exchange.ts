/**
 * Heads over `/weft/heads/1`: both sides of a stream send the newest announcement of every author they know, so that
 * nothing that was published early is lost, and a late joiner catches up with one round trip.
 */
import { decodeHeads, encodeHeads } from "../../protocol/heads.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import type { Conversation } from "../interface/conversation.ts";
import { answer, answerNeighbours, ask, type ConversationDependencies } from "./conversation.ts";

/** The needs of these conversations, the heads to tell, and the listener. */
export interface HeadExchangeDependencies extends ConversationDependencies {
  /** Announcement envelopes to send, at most LIMITS.headsCountMax. */
  readonly heads: () => readonly Uint8Array[];
  /** The other side's announcements, not judged yet. */
  readonly onHeads: (announcements: readonly Uint8Array[], from: PeerId) => void;
}

/** Exchanges heads with each new neighbour, and whenever it is asked to. */
export class HeadExchange implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.heads;
  readonly #dependencies: HeadExchangeDependencies;
  readonly #timeoutMs: number;

  constructor(dependencies: HeadExchangeDependencies, { timeoutMs }: { readonly timeoutMs: number }) {
    this.#dependencies = dependencies;
    this.#timeoutMs = timeoutMs;
  }

  async start(): Promise<void> {
    const { neighbours } = this.#dependencies;
    const { protocol } = this;
    const calls = { protocol, timeoutMs: this.#timeoutMs, did: "asked for heads" };
    await answerNeighbours(this.#dependencies, calls, async (stream, from) => {
      let heard: Uint8Array | undefined;
      await answer(stream, protocol, (message) => {
        heard = message;
        return this.#message();
      });
      // After the answer: there may be many heads to judge.
      if (heard !== undefined) this.#receive(heard, from);
    });
    neighbours.onAdmitted((peer) => void this.exchange(peer));
  }

  async stop(): Promise<void> {}

  /** Exchange heads with one neighbour; resolves when that is over, and never rejects. */
  exchange(peer: PeerId): Promise<void> {
    const { protocol } = this;
    return this.#dependencies.background.run("exchange of heads", async (signal) => {
      const call = { peer, protocol, timeoutMs: this.#timeoutMs, signal };
      this.#receive(await ask(this.#dependencies, call, this.#message()), peer);
    });
  }

  /** Exchange heads with all neighbours. */
  async exchangeAll(): Promise<void> {
    await Promise.all(this.#dependencies.neighbours.all().map((peer) => this.exchange(peer)));
  }

  #message(): Uint8Array {
    return encodeHeads(this.#dependencies.heads());
  }

  #receive(bytes: Uint8Array, from: PeerId): void {
    const { neighbours, onHeads } = this.#dependencies;
    let announcements: readonly Uint8Array[];
    try {
      announcements = decodeHeads(bytes);
    } catch (error) {
      neighbours.blame(from);
      throw error;
    }
    onHeads(announcements, from);
  }
}
