/** Divides one peer's examples into training, validation and test sets that never overlap. */
import { createPrng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import type { Example, ExampleSets } from "../interface/trainer.ts";

/** How large the held-out sets are, and the seed that chooses their examples. */
export interface HeldOutOptions {
  readonly seed: number;
  /** Each set has at least this many examples: one batch. */
  readonly batchSize: number;
  /** Shares of validation and test; the rest is trained on. */
  readonly shares?: { readonly validation: number; readonly test: number };
}

/** 80 / 10 / 10, the usual thirds of a small data set. */
export const DEFAULT_SHARES = { validation: 0.1, test: 0.1 } as const;

/**
 * Random sets, one batch at least in each. Examples with equal tokens stay together, so that nothing trained on is
 * tested on, also where a data file repeats itself.
 * Throws: NodeError DATA_TOO_SMALL saying how many examples there are and how many it takes.
 */
export function splitHeldOut(examples: readonly Example[], options: HeldOutOptions): ExampleSets {
  const { seed, batchSize, shares = DEFAULT_SHARES } = options;
  const groups = createPrng(seed).fork("held-out").shuffle(equalExamples(examples));
  const wanted = (share: number): number => Math.max(batchSize, Math.round(examples.length * share));
  const sets = { train: [] as Example[], validation: [] as Example[], test: [] as Example[] };
  const room = { validation: wanted(shares.validation), test: wanted(shares.test) };
  for (const group of groups) {
    const set = (["test", "validation"] as const).find((name) => {
      const left = room[name] - sets[name].length;
      // A group that is larger than a whole held-out set would crowd out everything else there: it is trained on.
      return left > 0 && group.length <= room[name];
    });
    // A group may have more members than a call may have arguments, here and elsewhere.
    for (const example of group) sets[set ?? "train"].push(example);
  }
  requireBatches(sets, { batchSize, different: groups.length });
  return sets;
}

/** Throws: NodeError DATA_TOO_SMALL unless every set has a batch. */
export function requireBatches(
  sets: ExampleSets,
  { batchSize, different }: { readonly batchSize: number; readonly different: number },
): void {
  const { train, validation, test } = sets;
  if (Math.min(train.length, validation.length, test.length) >= batchSize) return;
  const total = train.length + validation.length + test.length;
  const repeated = different < total ? ` (${different} of them different)` : "";
  throw new NodeError(
    "DATA_TOO_SMALL",
    `there are ${total} examples${repeated}, ${3 * batchSize} are needed: one batch of ${batchSize} each to train, ` +
      `validate and test; they make ${train.length}, ${validation.length} and ${test.length}; ` +
      "give more data or a smaller batch",
    { total, different, batchSize, train: train.length, validation: validation.length, test: test.length },
  );
}

/** Examples in groups of equal tokens, in order of first appearance. */
function equalExamples(examples: readonly Example[]): Example[][] {
  const groups = new Map<string, Example[]>();
  for (const example of examples) {
    const key = example.tokens.join(" ");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [example]);
    else group.push(example);
  }
  return [...groups.values()];
}
