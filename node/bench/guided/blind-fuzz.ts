/**
 * The same changes of the same inputs at full speed: V8's coverage takes half of the time and more. All that is looked at is what
 * came of an input, by the words of the refusal; an input with a new outcome is kept, and the guided fuzzer goes on with it.
 */
import { type Fault, type GuidedTarget, pick } from "./guided-fuzz.ts";
import { mutate, type Random } from "./mutate.ts";

/** When it ends, and what it draws from. */
export interface BlindOptions {
  readonly random: Random;
  /** The first of these that is reached. */
  readonly executionsMax: number;
  readonly millisecondsMax: number;
  /** Longest input. */
  readonly bytesMax: number;
}

/** What came of a run. */
export interface BlindResult {
  readonly executions: number;
  readonly outcomes: ReadonlySet<unknown>;
  /** Inputs with an outcome that none had before. */
  readonly found: readonly Uint8Array[];
  readonly fault: Fault | undefined;
}

/** Outcomes that are told apart: words may have more of an input than is left out. */
const OUTCOMES_MAX = 512;
/** Inputs between looks at the clock. */
const STRETCH = 256;

/** Fuzz one decoder without coverage. Ends at the first fault. */
export async function blindFuzz({ seeds, read }: GuidedTarget, options: BlindOptions): Promise<BlindResult> {
  const { random, executionsMax, millisecondsMax, bytesMax } = options;
  const end = performance.now() + millisecondsMax;
  const corpus: Uint8Array[] = [...seeds];
  const found: Uint8Array[] = [];
  const outcomes = new Set<unknown>();
  for (const seed of seeds) outcomes.add(await read(seed));
  let executions = seeds.length;
  while (executions < executionsMax && performance.now() < end) {
    for (let left = STRETCH; left > 0 && (left % 16 > 0 || performance.now() < end); left--) {
      const bytes = mutate(pick(corpus, random), pick(corpus, random), random, bytesMax);
      executions++;
      try {
        const result = read(bytes);
        // A decoder that answers at once is not waited for.
        const outcome = result instanceof Promise ? await result : result;
        if (outcomes.has(outcome) || outcomes.size >= OUTCOMES_MAX) continue;
        outcomes.add(outcome);
        found.push(bytes);
        corpus.push(bytes);
      } catch (error) {
        return { executions, outcomes, found, fault: { bytes, error } };
      }
    }
  }
  return { executions, outcomes, found, fault: undefined };
}
