/**
 * Which blocks of weft's own code ran, by V8's precise coverage, in this same process. Reading it takes milliseconds, so a
 * fuzzer reads it after many inputs at once and looks for the one that mattered only where something is new.
 */
import { type Profiler, Session } from "node:inspector";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const ROOT = pathToFileURL(`${join(dirname(import.meta.dirname), "..", "..")}/`).href;
/** The decoders, and what they call; neither the fuzzer nor the making of its seeds. */
const OWN_CODE = /^(protocol|node)\/(?!vectors\/|bench\/)(?!.*\.(test|suite)\.ts$)/;

/** Counts from `start` to `stop`. */
export class BlockCoverage {
  readonly #session = new Session();
  readonly #isOwn: (url: string) => boolean;

  /** isOwn: whose blocks count, by the URL of their file; weft's own when absent. */
  constructor(
    isOwn: (url: string) => boolean = (url) => url.startsWith(ROOT) && OWN_CODE.test(url.slice(ROOT.length)),
  ) {
    this.#isOwn = isOwn;
  }

  start(): void {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  stop(): void {
    this.#session.post("Profiler.stopPreciseCoverage");
    this.#session.disconnect();
  }

  /** What ran since the last call. */
  take(): readonly Stretch[] {
    const ran: Stretch[] = [];
    // A session of this same thread answers before it returns.
    this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw error;
      for (const { url, functions } of answer.result) {
        if (this.#isOwn(url)) for (const { ranges } of functions) collect(url, ranges, ran);
      }
    });
    return ran;
  }
}

/** Code without a branch in it, by its place in a file: characters from `start` to before `end`. */
export interface Stretch {
  readonly url: string;
  readonly start: number;
  readonly end: number;
}

/** The stretches of one function that ran. Its ranges are nested, outer ones first, and one as often run as that around it is left out. */
function collect(url: string, ranges: readonly Profiler.CoverageRange[], ran: Stretch[]): void {
  const [whole] = ranges;
  if (whole === undefined || whole.count === 0) return;
  let at = whole.startOffset;
  for (const { startOffset, endOffset, count } of ranges) {
    if (count > 0 || endOffset <= at) continue;
    if (startOffset > at) ran.push({ url, start: at, end: startOffset });
    at = endOffset;
  }
  if (at < whole.endOffset) ran.push({ url, start: at, end: whole.endOffset });
}

/** All code that was reached so far, character by character. */
export class ReachedCode {
  readonly #files = new Map<string, Uint8Array>();
  #count = 0;

  /** Characters. */
  get size(): number {
    return this.#count;
  }

  /** Whether any of it was not reached before. */
  isNew(stretches: readonly Stretch[]): boolean {
    return stretches.some(({ url, start, end }) => {
      const file = this.#files.get(url);
      return file === undefined || end > file.length || file.subarray(start, end).includes(0);
    });
  }

  add(stretches: readonly Stretch[]): void {
    for (const { url, start, end } of stretches) {
      const file = this.#room(url, end);
      for (let at = start; at < end; at++) {
        if (file[at] === 0) this.#count++;
        file[at] = 1;
      }
    }
  }

  #room(url: string, length: number): Uint8Array {
    const before = this.#files.get(url);
    if (before !== undefined && before.length >= length) return before;
    const file = new Uint8Array(2 * length);
    if (before !== undefined) file.set(before);
    this.#files.set(url, file);
    return file;
  }
}
