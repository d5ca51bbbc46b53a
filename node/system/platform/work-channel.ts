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

/** Counts what passes by; small things are not worth a word.  fewest: a total below this is not told of. */
export class WorkCount {
  readonly #what: string;
  readonly #total: number;
  readonly #unit: string;
  readonly #isTold: boolean;
  #done = 0;

  constructor({ what, total, unit, fewest }: { what: string; total: number; unit: string; fewest: number }) {
    this.#what = what;
    this.#total = total;
    this.#unit = unit;
    this.#isTold = total >= fewest;
  }

  /** So much more is done. */
  add(count: number): void {
    this.#done += count;
    if (this.#isTold) tellWork({ what: this.#what, done: this.#done, total: this.#total, unit: this.#unit });
  }

  /** It is done, or has failed. */
  end(): void {
    if (this.#isTold) tellWork({ what: this.#what, isOver: true });
  }
}

/** Bytes of weights that are read within a second or so by any machine are not told of. */
export const TOLD_BYTES_MIN = 64 * 1024 * 1024;
