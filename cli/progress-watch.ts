/** A thread that says how far the work is while the main thread is held by it, as a running session or a hash holds it. */
import { Worker } from "node:worker_threads";

/** Room for the line; longer ones are cut. */
const TEXT_BYTES = 400;
/** Places in the shared memory: three times in milliseconds, then two small numbers, then the text. */
const [SAID_AT, PATIENCE, BEGAN] = [0, 1, 2];
const [IS_DRAWN, TEXT_LENGTH] = [0, 1];
const NUMBERS_AT = 24;
const TEXT_AT = 32;

/** What both threads see. */
export interface ProgressShare {
  /** When anybody has last said anything, in milliseconds since 1970. */
  readonly saidAt: number;
  /** Whether the thread has drawn a line that stands there now. */
  readonly isDrawn: boolean;
  /** What to say after so many milliseconds of silence, and when that work began; undefined for nothing. */
  set(work: { readonly words: string; readonly began: number } | undefined, patienceMs: number): void;
  said(at: number): void;
  cleared(): void;
  close(): void;
}

/** Start the thread. It never keeps the process.  now: in milliseconds since 1970; isDrawn: whether its line is drawn over. */
export function watchProgress({ now, isDrawn }: { readonly now: number; readonly isDrawn: boolean }): ProgressShare {
  const memory = new SharedArrayBuffer(TEXT_AT + TEXT_BYTES);
  const times = new Float64Array(memory, 0, 3);
  const numbers = new Int32Array(memory, NUMBERS_AT, 2);
  const text = new Uint8Array(memory, TEXT_AT);
  times[SAID_AT] = now;
  times[PATIENCE] = Number.POSITIVE_INFINITY;
  const worker = new Worker(PROGRAM, { eval: true, workerData: { memory, isDrawn }, execArgv: [] });
  worker.unref();
  // Progress is a courtesy: without this thread the work is the same.
  worker.on("error", () => undefined);
  return {
    get saidAt() {
      return times[SAID_AT]!;
    },
    get isDrawn() {
      return numbers[IS_DRAWN] === 1;
    },
    set: (work, patienceMs) => {
      const bytes = new TextEncoder().encode(work?.words ?? "").subarray(0, TEXT_BYTES);
      text.set(bytes);
      numbers[TEXT_LENGTH] = bytes.length;
      times[BEGAN] = work?.began ?? 0;
      times[PATIENCE] = work === undefined ? Number.POSITIVE_INFINITY : patienceMs;
    },
    said: (at) => {
      times[SAID_AT] = at;
    },
    cleared: () => {
      numbers[IS_DRAWN] = 0;
    },
    close: () => void worker.terminate(),
  };
}

/** The thread. It writes to the descriptor itself: `process.stderr` of a thread goes through the one that is held. */
const PROGRAM = `
const { workerData: { memory, isDrawn } } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const times = new Float64Array(memory, 0, 3), numbers = new Int32Array(memory, ${NUMBERS_AT}, 2);
const text = new Uint8Array(memory, ${TEXT_AT});
setInterval(() => {
  const now = performance.timeOrigin + performance.now();
  if (now - times[${SAID_AT}] < times[${PATIENCE}]) return;
  const words = new TextDecoder().decode(text.slice(0, numbers[${TEXT_LENGTH}]));
  const seconds = Math.round((now - times[${BEGAN}]) / 1000);
  const told = seconds < 1 ? words : words + ", " + seconds + " s so far";
  try {
    writeSync(2, isDrawn ? "\\r\\x1b[K" + told : told + "\\n");
  } catch {
    // Whoever read it has gone, or reads nothing at the moment.
  }
  if (isDrawn) numbers[${IS_DRAWN}] = 1;
  times[${SAID_AT}] = now;
}, 500);
`;
