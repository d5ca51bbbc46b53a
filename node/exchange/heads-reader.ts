/**
 * Judges what neighbours' heads hold a few announcements at a time, each neighbour in its turn, and lets the event loop go
 * on in between: who sends much waits for itself, and nobody waits for it.
 */
import type { PeerId } from "../../protocol/peer-id.ts";

/** Who judges. */
export interface HeadsReaderDependencies {
  /** Judge one announcement, the next one of a message; false: nothing more of this message is looked at.  Throws: nothing. */
  readonly judge: (bytes: Uint8Array, message: HeadsMessage) => boolean;
  /** Resolves when everything else that waits has had its turn. */
  readonly nextTurn?: () => Promise<void>;
  /** Called before the announcements of a turn are judged. */
  readonly onTurn?: () => void;
}

/** Announcements of one message, and who sent it. */
export interface HeadsMessage {
  readonly from: PeerId;
  readonly announcements: readonly Uint8Array[];
}

interface Reading {
  readonly message: HeadsMessage;
  at: number;
  readonly done: PromiseWithResolvers<void>;
}

const afterOthers = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Reads one message of each neighbour at a time; of what comes meanwhile the last one waits. */
export class HeadsReader {
  readonly #dependencies: HeadsReaderDependencies;
  readonly #perTurnMax: number;
  /** By neighbour, in the order of their turns. */
  readonly #reading = new Map<PeerId, Reading>();
  readonly #waiting = new Map<PeerId, Reading>();
  #isRunning = false;

  /** perTurnMax: announcements that are judged before the event loop goes on. */
  constructor(dependencies: HeadsReaderDependencies, { perTurnMax }: { readonly perTurnMax: number }) {
    this.#dependencies = dependencies;
    this.#perTurnMax = perTurnMax;
  }

  /** Judge a message's announcements, the first ones at once where nobody else's are judged; resolves at the end. */
  read(message: HeadsMessage): Promise<void> {
    const reading: Reading = { message, at: 0, done: Promise.withResolvers<void>() };
    const { from } = message;
    if (this.#reading.has(from)) {
      this.#waiting.get(from)?.done.resolve();
      this.#waiting.set(from, reading);
    } else this.#reading.set(from, reading);
    if (!this.#isRunning) void this.#run();
    return reading.done.promise;
  }

  async #run(): Promise<void> {
    const { nextTurn = afterOthers } = this.#dependencies;
    this.#isRunning = true;
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      this.#turn(next);
      if (this.#reading.size > 0) await nextTurn();
    }
    this.#isRunning = false;
  }

  #take(): Reading | undefined {
    for (const reading of this.#reading.values()) return reading;
    return undefined;
  }

  #turn(reading: Reading): void {
    this.#dependencies.onTurn?.();
    const { from, announcements } = reading.message;
    const end = Math.min(announcements.length, reading.at + this.#perTurnMax);
    while (reading.at < end) {
      const bytes = announcements[reading.at++];
      if (bytes !== undefined && !this.#dependencies.judge(bytes, reading.message)) reading.at = announcements.length;
    }
    // To the end of the turns, or out.
    this.#reading.delete(from);
    if (reading.at < announcements.length) {
      this.#reading.set(from, reading);
      return;
    }
    reading.done.resolve();
    const waiting = this.#waiting.get(from);
    this.#waiting.delete(from);
    if (waiting !== undefined) this.#reading.set(from, waiting);
  }
}
