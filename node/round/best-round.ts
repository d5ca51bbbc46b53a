/** The round that was best on the peer's validation set, and what is kept of it. */
import type { Logger } from "../interface/logger.ts";
import type { BestRound, RoundSummary } from "../interface/peer-event.ts";
import type { Evaluation, Trainer } from "../interface/trainer.ts";
import type { BestScores } from "./forgetting.ts";

/** Keeps the adapter of the best round so far, with the trained head of a classifier behind it; f32[P]. */
export type KeepBest = (adapter: Float32Array) => Promise<void>;

/** What is done for the best round needs these. */
export interface BestRoundDependencies {
  readonly trainer: Trainer;
  readonly logger: Logger;
  readonly keepBest?: KeepBest;
}

/**
 * Keep the trainer's adapter where its loss is lower than after any round before. A round is as good as done without it:
 * a disk that is full is said, and the round goes on.
 */
export async function keepIfBest(
  { trainer, logger, keepBest }: BestRoundDependencies,
  {
    before,
    validation,
    round,
  }: { readonly before: BestScores; readonly validation: Evaluation; readonly round: number },
): Promise<void> {
  if (keepBest === undefined || !Number.isFinite(validation.loss) || validation.loss >= before.all.loss) return;
  try {
    await keepBest((await trainer.state()).adapter);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn("could not keep the adapter of the best round", { round, reason });
  }
}

/** The earliest round with the lowest finite loss on the validation set; undefined where there is none. */
export function bestRoundOf(rounds: readonly RoundSummary[]): BestRound | undefined {
  const finite = rounds.filter(({ validationLoss }) => Number.isFinite(validationLoss));
  const [first, ...others] = finite;
  if (first === undefined) return undefined;
  const best = others.reduce((one, next) => (next.validationLoss < one.validationLoss ? next : one), first);
  return { round: best.round, validationLoss: best.validationLoss };
}
