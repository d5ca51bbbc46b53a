/** How far a piece of work is, in one line: count, share, rate and time left. */
import type { Work } from "../node/index.ts";
import { formatBytes } from "../testnet/words/text-table.ts";

/** A count at a time. */
interface Sample {
  readonly at: number;
  readonly done: number;
}

/** The rate is that of so many seconds at most: long enough to be calm, short enough to follow a change. */
const SAMPLES_MAX = 30;
const SAMPLE_MS = 1_000;

/** One piece of work from its beginning on. */
export class Pace {
  readonly #began: number;
  #work: Work;
  #samples: Sample[];

  /** now: milliseconds. */
  constructor(work: Work, now: number) {
    this.#began = now;
    this.#work = work;
    this.#samples = [{ at: now, done: work.done }];
  }

  /** It is so far by now. A smaller count begins anew. */
  note(work: Work, now: number): void {
    if (work.done < this.#work.done) this.#samples = [];
    this.#work = work;
    const last = this.#samples.at(-1);
    if (last === undefined || now - last.at >= SAMPLE_MS) this.#samples.push({ at: now, done: work.done });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** When it began, in milliseconds. */
  get began(): number {
    return this.#began;
  }

  /** Such as `hashing the model: 412 MB of 1.20 GB, 34 %, 310 MB/s, 3 s left`. */
  line(now: number): string {
    const words = this.words(now);
    const seconds = (now - this.#began) / 1000;
    return this.#rate(now) > 0 || seconds < 1 ? words : `${words}, ${timeWords(seconds)} so far`;
  }

  /** The same without the time that it has taken. */
  words(now: number): string {
    const { what, done, total, unit = "", note } = this.#work;
    const rate = this.#rate(now);
    const isCounted = done > 0 || total !== undefined;
    const counts = [
      ...(isCounted ? [countWords(done, total, unit)] : []),
      ...(total !== undefined && total > 0 ? [`${Math.floor((100 * Math.min(done, total)) / total)} %`] : []),
      ...(rate > 0 ? [rateWords(rate, unit)] : []),
      ...(rate > 0 && total !== undefined ? [`${timeWords(Math.max(0, total - done) / rate)} left`] : []),
      ...(note === undefined ? [] : [note]),
    ];
    return counts.length === 0 ? what : `${what}: ${counts.join(", ")}`;
  }

  /** Per second; 0 where too little is known. */
  #rate(now: number): number {
    const [first] = this.#samples;
    const { done } = this.#work;
    if (first === undefined || now - first.at < SAMPLE_MS / 2) return 0;
    return (1000 * (done - first.done)) / (now - first.at);
  }
}

function countWords(done: number, total: number | undefined, unit: string): string {
  if (unit === "bytes")
    return total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`;
  const count = total === undefined ? `${done}` : `${done} of ${total}`;
  return unit === "" ? count : `${count} ${unit}`;
}

function rateWords(rate: number, unit: string): string {
  if (unit === "bytes") return `${formatBytes(rate)}/s`;
  const name = unit === "" ? "" : `${unit} `;
  return rate >= 1 ? `${rate.toFixed(1)} ${name}a second` : `${(60 * rate).toFixed(1)} ${name}a minute`;
}

/** A time in the two largest units that it has: `3 s`, `2 min 5 s`, `1 h 20 min`, `4 d 2 h`. */
export function timeWords(seconds: number): string {
  const whole = Math.round(seconds);
  const units: readonly (readonly [number, string])[] = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => whole >= size);
  if (first < 0) return "0 s";
  const [size, name] = units[first]!;
  const [nextSize, nextName] = units[first + 1] ?? [0, ""];
  const rest = nextSize === 0 ? 0 : Math.floor((whole % size) / nextSize);
  return `${Math.floor(whole / size)} ${name}${rest === 0 ? "" : ` ${rest} ${nextName}`}`;
}
