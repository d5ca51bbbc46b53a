/**
 * The evaluation on a peer's test set after its last round: of the base model, of the adapter from the swarm, and, when
 * asked for, of an adapter trained alone. That one has the same start, as many local steps and the same order of batches.
 */
import { NodeError } from "../errors.ts";
import type { Logger } from "../interface/logger.ts";
import { ALONE_FIGURES_MAX, lossOf, scoreOf } from "../interface/peer-event.ts";
import type { Trainer } from "../interface/trainer.ts";
import type { EvaluationProgress } from "./peer-memory.ts";

/** The scores of a finished evaluation. */
export type EvaluationResult = Extract<EvaluationProgress, { readonly stage: "done" }>;

/** What the evaluation needs of the peer. */
export interface ClosingDependencies {
  readonly trainer: Trainer;
  readonly logger: Logger;
  /** Keep the progress durably, together with the trainer's state as it is. */
  readonly save: (progress: EvaluationProgress) => Promise<void>;
  /** index: local steps of the run alone, from 0. */
  readonly onStep: (index: number, loss: number) => void;
}

/**
 * Go on from `progress` to the end. The trainer ends with the swarm's adapter and moments again.
 * Throws: what the trainer throws; the signal's reason when aborted between two chunks of steps.
 */
export async function closingEvaluation(
  dependencies: ClosingDependencies,
  options: {
    readonly progress: EvaluationProgress;
    readonly compareAlone: boolean;
    /** Local steps taken in the swarm. */
    readonly steps: number;
    /** Local steps of a round. */
    readonly localSteps: number;
    /** Steps between two checkpoints. */
    readonly chunkSteps: number;
    readonly signal: AbortSignal;
  },
): Promise<EvaluationResult> {
  const { trainer, save } = dependencies;
  const { compareAlone, signal } = options;
  let { progress } = options;
  if (progress.stage === "none") {
    const base = scoreOf(await trainer.evaluate({ set: "test", adapter: "base", perExample: true }));
    signal.throwIfAborted();
    const swarmScore = scoreOf(await trainer.evaluate({ set: "test", perExample: true }));
    signal.throwIfAborted();
    if (!compareAlone) {
      progress = { stage: "done", base, swarmScore };
      await save(progress);
      return progress;
    }
    const swarm = await trainer.state();
    await trainer.reset();
    progress = { stage: "alone", base, swarmScore, swarm, stepsDone: 0, aloneRounds: [] };
    await save(progress);
  }
  if (progress.stage === "done") return progress;
  progress = await trainAlone(dependencies, { ...options, progress });
  const alone = scoreOf(await trainer.evaluate({ set: "test", perExample: true }));
  signal.throwIfAborted();
  await trainer.restore(progress.swarm);
  const { base, swarmScore, aloneRounds = [] } = progress;
  const done: EvaluationResult = {
    ...{ stage: "done", base, swarmScore, alone },
    ...(aloneRounds.length > 0 && { aloneRounds }),
  };
  await save(done);
  return done;
}

type AloneProgress = Extract<EvaluationProgress, { readonly stage: "alone" }>;

async function trainAlone(
  { trainer, logger, save, onStep }: ClosingDependencies,
  options: {
    readonly progress: AloneProgress;
    readonly steps: number;
    readonly localSteps: number;
    readonly chunkSteps: number;
    readonly signal: AbortSignal;
  },
): Promise<AloneProgress> {
  const { steps, localSteps, chunkSteps, signal } = options;
  // Rounds between two points of its line.
  const every = Math.ceil(steps / localSteps / ALONE_FIGURES_MAX);
  let { progress } = options;
  while (progress.stepsDone < steps) {
    signal.throwIfAborted();
    const { stepsDone } = progress;
    const chunk = Math.min(chunkSteps, steps - stepsDone, localSteps - (stepsDone % localSteps));
    let index = stepsDone;
    try {
      await trainer.train({ steps: chunk, onStep: (loss) => onStep(index++, loss) });
    } catch (error) {
      if (!(error instanceof NodeError) || error.code !== "TRAINING_DIVERGED") throw error;
      // Steps that are not finite change nothing: what is evaluated is the last adapter that was.
      logger.warn("training alone diverged, evaluating it where it stands", { steps: progress.stepsDone });
      return progress;
    }
    progress = { ...progress, stepsDone: stepsDone + chunk };
    const rounds = progress.stepsDone / localSteps;
    if (Number.isInteger(rounds) && (rounds % every === 0 || progress.stepsDone === steps)) {
      const figure = lossOf(await trainer.evaluate({ set: "validation", perExample: true }));
      const before = (progress.aloneRounds ?? []).slice(0, ALONE_FIGURES_MAX - 1);
      progress = { ...progress, aloneRounds: [...before, { round: rounds - 1, ...figure }] };
    }
    await save(progress);
  }
  signal.throwIfAborted();
  return progress;
}
