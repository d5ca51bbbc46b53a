/**
 * Where long work of this thread is told of, to whoever listens: `node:diagnostics_channel`, because what reads and writes
 * weights lies deep below whoever wants to know of it. It costs nothing where nobody listens.
 */
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import type { WorkNews } from "../../interface/work.ts";

const NAME = "weft:work";
const work = channel(NAME);

/** Tell of work. */
export function tellWork(news: WorkNews): void {
  if (work.hasSubscribers) work.publish(news);
}

/** Hear of all work of this thread.  Returns the end of hearing. */
export function onWork(hear: (news: WorkNews) => void): () => void {
  const listener = (news: unknown): void => hear(news as WorkNews);
  subscribe(NAME, listener);
  return () => void unsubscribe(NAME, listener);
}

/** Do work that holds this thread, and tell of it.  Throws: what the work throws. */
export function tellBlocking<T>(what: string, work: () => T): T {
  tellWork({ what, done: 0, blocks: true });
  try {
    return work();
  } finally {
    tellWork({ what, isOver: true });
  }
}

/** Work that is counted. */
export interface CountedWork {
  readonly what: string;
  readonly total: number;
  readonly unit: string;
  /** A total below this is not told of. */
  readonly fewest: number;
  /** Whether the thread is held from now until the end. */
  readonly blocks?: boolean;
}

/** Counts what passes by; small things are not worth a word. */
export class WorkCount {
  readonly #what: string;
  readonly #total: number;
  readonly #unit: string;
  readonly #isTold: boolean;
  readonly #blocks: { readonly blocks?: true };
  #done = 0;

  /** blocks: whether the thread is held from now until the end. */
  constructor({ what, total, unit, fewest, blocks }: CountedWork) {
    this.#what = what;
    this.#total = total;
    this.#unit = unit;
    this.#isTold = total >= fewest;
    this.#blocks = blocks === true ? { blocks } : {};
    if (blocks === true) this.add(0);
  }

  /** So much more is done. */
  add(count: number): void {
    this.#done += count;
    if (!this.#isTold) return;
    tellWork({ what: this.#what, done: this.#done, total: this.#total, unit: this.#unit, ...this.#blocks });
  }

  /** It is done, or has failed. */
  end(): void {
    if (this.#isTold) tellWork({ what: this.#what, isOver: true });
  }
}

/** Bytes of weights that are read within a second or so by any machine are not told of. */
export const TOLD_BYTES_MIN = 64 * 1024 * 1024;
