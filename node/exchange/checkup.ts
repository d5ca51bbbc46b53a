/**
 * Checkups over `/weft/checkup/1`: a peer asks a neighbour for its time and to dial it anew, so that its operator learns of
 * a wrong clock and of addresses at which nobody gets through. Only neighbours are answered, and not often, because each
 * answer may cost some dials.
 */
import {
  type CheckupReply,
  decodeCheckupReply,
  decodeCheckupRequest,
  encodeCheckupReply,
  encodeCheckupRequest,
} from "../../protocol/checkup.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Conversation } from "../interface/conversation.ts";
import { answer, answerNeighbours, ask, type ConversationDependencies } from "./conversation.ts";

/** How long a checkup takes and how often one is answered. */
export interface CheckupOptions {
  /** Of a whole checkup, the dials in it included. */
  readonly timeoutMs: number;
  /** Shortest time between two checkups of one neighbour that are answered. */
  readonly intervalMs: number;
}

/** A neighbour's findings. */
export interface Checkup extends CheckupReply {
  /** By this peer's clock: the neighbour looked at its own somewhere in between. */
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
}

/** Answers the checkups of neighbours; `askForCheckup` asks for one. */
export class Checkups implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.checkup;
  readonly #dependencies: ConversationDependencies;
  readonly #options: CheckupOptions;
  readonly #answeredAtMs = new Map<PeerId, number>();

  constructor(dependencies: ConversationDependencies, options: CheckupOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { transport, clock } = this.#dependencies;
    const { timeoutMs, intervalMs } = this.#options;
    transport.onDisconnect((peer) => {
      const lastMs = this.#answeredAtMs.get(peer);
      // A neighbour that comes back at once has to wait like one that stayed.
      if (lastMs !== undefined) clock.after(intervalMs, () => this.#answeredAtMs.delete(peer));
    });
    const calls = { protocol: this.protocol, timeoutMs, did: "asked for a checkup" };
    await answerNeighbours(this.#dependencies, calls, async (stream, from) => {
      this.#count(from);
      await answer(stream, this.protocol, (message) => this.#examine(message, from));
    });
  }

  async stop(): Promise<void> {}

  /** Throws: NodeError TOO_OFTEN. */
  #count(from: PeerId): void {
    const { intervalMs } = this.#options;
    const nowMs = this.#dependencies.clock.now();
    if (nowMs - (this.#answeredAtMs.get(from) ?? Number.NEGATIVE_INFINITY) < intervalMs) {
      throw new NodeError("TOO_OFTEN", `${from} asks for a checkup more often than every ${intervalMs} ms`);
    }
    this.#answeredAtMs.set(from, nowMs);
  }

  async #examine(message: Uint8Array, from: PeerId): Promise<Uint8Array> {
    const { transport, clock } = this.#dependencies;
    const addresses = this.#read(message, from);
    const timeMs = clock.now();
    const controller = new AbortController();
    // Half of the time, so that the reply still gets there.
    const cancel = clock.after(this.#options.timeoutMs / 2, () =>
      controller.abort(new Error("the checkup takes too long")),
    );
    try {
      const reached = await Promise.all(addresses.map((address) => transport.reaches(address, controller.signal)));
      return encodeCheckupReply({ timeMs, reached });
    } finally {
      cancel();
    }
  }

  #read(message: Uint8Array, from: PeerId): readonly string[] {
    try {
      return decodeCheckupRequest(message, from);
    } catch (error) {
      if (error instanceof ProtocolError) this.#dependencies.neighbours.blame(from);
      throw error;
    }
  }
}

/**
 * Ask a neighbour for a checkup; at most `LIMITS.addressesPerPeerMax` addresses of this peer.
 * Throws: NodeError STREAM_FAILED, TIMEOUT, FRAME_INVALID; ProtocolError.
 */
export async function askForCheckup(
  { transport, clock }: Pick<ConversationDependencies, "transport" | "clock">,
  call: { readonly peer: PeerId; readonly addresses: readonly string[]; readonly signal: AbortSignal },
  { timeoutMs }: Pick<CheckupOptions, "timeoutMs">,
): Promise<Checkup> {
  const { peer, addresses, signal } = call;
  const message = encodeCheckupRequest(addresses, transport.peer);
  const askedAtMs = clock.now();
  const asked = { peer, protocol: STREAM_PROTOCOLS.checkup, timeoutMs, signal };
  const bytes = await ask({ transport, clock }, asked, message);
  return { ...decodeCheckupReply(bytes, addresses.length), askedAtMs, answeredAtMs: clock.now() };
}
