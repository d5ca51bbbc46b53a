/**
 * A way for datagrams between two sites whose routers let nothing in that was not asked for. Both sides send to each other at the
 * same time; each router then takes what comes for an answer. Only who shows a number that was told over an encrypted
 * connection is the other side.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { DatagramSocket } from "./datagram-socket.ts";
import { type Endpoint, isSame } from "./endpoint.ts";

/** Length of the number that the other side must show. Unit: bytes. */
export const NONCE_BYTES = 16;
/** The number, and what its sender knows. */
const KNOCK_BYTES = NONCE_BYTES + 1;
/** A knock of who has heard nothing yet, of who has, and the answer to either. */
const [ALONE, HEARD, ANSWER] = [0, 1, 2] as const;
type Knock = typeof ALONE | typeof HEARD | typeof ANSWER;
const KNOCK_EVERY_MS = 100;
/** Knocks without an answer, and answers to knocks: small, few, and never more than what comes in. */
const KNOCKS_MAX = 30;
const ANSWERS_MAX = 30;

/** One side of a way, over a socket of its own. */
export class Hole {
  /** What the other side must show. */
  readonly nonce: Uint8Array = randomBytes(NONCE_BYTES);
  readonly #socket: DatagramSocket;
  /** Where the other side is, once it has shown the number. */
  #remote: Endpoint | undefined;
  #answersLeft = ANSWERS_MAX;
  #pass: (bytes: Uint8Array) => void = () => {};

  constructor(socket: DatagramSocket) {
    this.#socket = socket;
  }

  get remote(): Endpoint | undefined {
    return this.#remote;
  }

  /** Where datagrams of the other side go to that are no knocks. */
  onward(pass: (bytes: Uint8Array) => void): void {
    this.#pass = pass;
  }

  /** Send to the other side; nothing before it has shown the number. */
  send(bytes: Uint8Array): void {
    if (this.#remote !== undefined) this.#socket.send(bytes, this.#remote);
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * Knock until each side has heard the other.  told: where the other side says it is; another port of the same address will do,
   * because some routers give each destination one of its own.  nonce: what the other side asks for.
   * Resolves with where it is.  Throws: Error when nobody answers.
   */
  async knock(
    { told, nonce }: { readonly told: Endpoint; readonly nonce: Uint8Array },
    signal: AbortSignal,
  ): Promise<Endpoint> {
    const heard = Promise.withResolvers<Endpoint>();
    const stop = (): void => heard.reject(signal.reason);
    signal.addEventListener("abort", stop);
    const send = (kind: Knock): void => this.#socket.send(knockOf(nonce, kind), this.#remote ?? told);
    this.#socket.receive((bytes, from) => {
      if (this.#remote === undefined ? from.host !== told.host : !isSame(from, this.#remote)) return;
      const kind = this.#knocked(bytes);
      if (kind === undefined && this.#remote === undefined) return;
      this.#remote ??= from;
      // What is no knock comes from who has heard this side.
      if (kind !== ALONE) heard.resolve(this.#remote);
      if (kind === undefined) this.#pass(bytes);
      else if (kind !== ANSWER && this.#answersLeft-- > 0) send(ANSWER);
    });
    let left = KNOCKS_MAX - 1;
    const timer = setInterval(() => {
      if (left-- > 0) send(this.#remote === undefined ? ALONE : HEARD);
      else heard.reject(new Error("nobody answers at the address that was told"));
    }, KNOCK_EVERY_MS);
    send(ALONE);
    try {
      return await heard.promise;
    } finally {
      clearInterval(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  /** What a knock says; undefined where it is none. */
  #knocked(bytes: Uint8Array): number | undefined {
    if (bytes.length !== KNOCK_BYTES || !timingSafeEqual(bytes.subarray(0, NONCE_BYTES), this.nonce)) return undefined;
    return bytes[NONCE_BYTES];
  }
}

function knockOf(nonce: Uint8Array, kind: Knock): Uint8Array {
  const knock = new Uint8Array(KNOCK_BYTES);
  knock.set(nonce);
  knock[NONCE_BYTES] = kind;
  return knock;
}
