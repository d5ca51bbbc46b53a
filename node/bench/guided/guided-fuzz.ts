/**
 * A fuzzer that keeps whatever reaches new code, and changes it further: so it finds its way through checks that random changes
 * of valid inputs do not pass. Its feedback is which code ran, not how often, and no comparisons.
 * Source: the loop of AFL, https://lcamtuf.coredump.cx/afl/technical_details.txt, without its counts.
 */
import { type BlockCoverage, ReachedCode, type Stretch } from "./coverage.ts";
import { mutate, type Random } from "./mutate.ts";

/** A decoder. */
export interface GuidedTarget {
  readonly name: string;
  /** Valid inputs, or nearly so. */
  readonly seeds: readonly Uint8Array[];
  /** A text says what came of it.  Throws: what a decoder may not throw. */
  readonly read: (bytes: Uint8Array) => unknown;
}

/** An input on which a decoder did what it may not. */
export interface Fault {
  readonly bytes: Uint8Array;
  readonly error: unknown;
}

/** What came of a run. */
export interface GuidedResult {
  readonly executions: number;
  /** Characters of code that the seeds reached, and that all inputs did. */
  readonly reached: { readonly bySeeds: number; readonly byAll: number };
  /** Inputs that reached something new, in the order in which they did. */
  readonly found: readonly Uint8Array[];
  readonly fault: Fault | undefined;
}

/** When it ends, and what it draws from. */
export interface GuidedOptions {
  readonly coverage: BlockCoverage;
  readonly random: Random;
  /** The first of these that is reached. */
  readonly executionsMax: number;
  readonly millisecondsMax: number;
  /** Longest input. */
  readonly bytesMax: number;
}

/** Inputs after which coverage is read: it costs as much as some hundreds of decodings. */
const BATCH = 1_000;
/** Time after which it is read at the latest. */
const BATCH_MS = 500;

/** Fuzz one decoder; `coverage` counts already. Ends at the first fault. */
export function guidedFuzz({ seeds, read }: GuidedTarget, options: GuidedOptions): GuidedResult {
  const { coverage, random, executionsMax, millisecondsMax, bytesMax } = options;
  const end = performance.now() + millisecondsMax;
  const corpus: Uint8Array[] = [...seeds];
  const found: Uint8Array[] = [];
  const reached = new ReachedCode();
  let fault: Fault | undefined;
  let executions = 0;
  const run = (inputs: readonly Uint8Array[]): readonly Stretch[] => {
    coverage.take();
    for (const bytes of inputs) {
      executions++;
      try {
        read(bytes);
      } catch (error) {
        fault ??= { bytes, error };
      }
    }
    return coverage.take();
  };
  reached.add(run(corpus));
  const bySeeds = reached.size;
  while (fault === undefined && executions < executionsMax && performance.now() < end) {
    const batch = batchOf(() => mutate(pick(corpus, random), pick(corpus, random), random, bytesMax), read, coverage);
    executions += batch.inputs.length;
    fault = batch.fault;
    if (!reached.isNew(batch.ran)) continue;
    for (const [input, ran] of reaching(batch.inputs, run, reached)) {
      found.push(input);
      corpus.push(input);
      reached.add(ran);
    }
    // What came but once, such as the filling of a cache, is no input's own.
    reached.add(batch.ran);
  }
  return { executions, reached: { bySeeds, byAll: reached.size }, found, fault };
}

interface Batch {
  readonly inputs: readonly Uint8Array[];
  readonly ran: readonly Stretch[];
  readonly fault: Fault | undefined;
}

/** Try inputs until it is time to look, or one is a fault. */
function batchOf(next: () => Uint8Array, read: GuidedTarget["read"], coverage: BlockCoverage): Batch {
  const inputs: Uint8Array[] = [];
  const end = performance.now() + BATCH_MS;
  let fault: Fault | undefined;
  coverage.take();
  while (inputs.length < BATCH && fault === undefined && performance.now() < end) {
    const bytes = next();
    inputs.push(bytes);
    try {
      read(bytes);
    } catch (error) {
      fault = { bytes, error };
    }
  }
  return { inputs, ran: coverage.take(), fault };
}

/** The inputs of a batch that reach something new, each found by halves, with what they reach. */
function* reaching(
  inputs: readonly Uint8Array[],
  run: (inputs: readonly Uint8Array[]) => readonly Stretch[],
  reached: Pick<ReachedCode, "isNew">,
): Generator<readonly [Uint8Array, readonly Stretch[]]> {
  const waiting = [inputs];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    const ran = run(part);
    if (!reached.isNew(ran)) continue;
    if (part.length === 1) {
      yield [part[0]!, ran];
      continue;
    }
    const middle = Math.ceil(part.length / 2);
    waiting.push(part.slice(middle), part.slice(0, middle));
  }
}

/** One of the corpus: newer ones as likely as all older ones together. */
export function pick(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  const from = random(2) === 0 ? Math.max(0, corpus.length - 16) : 0;
  return corpus[from + random(corpus.length - from)]!;
}
