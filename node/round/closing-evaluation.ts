/**
 * The evaluation on a peer's test set after its last round: of the base model, of the adapter from the swarm, and, when
 * asked for, of an adapter trained alone. That one has the same start, as many local steps and the same order of batches.
 */
import { NodeError } from "../errors.ts";
import type { Logger } from "../interface/logger.ts";
import { scoreOf } from "../interface/peer-event.ts";
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
    /** Steps between two checkpoints. */
    readonly chunkSteps: number;
    readonly signal: AbortSignal;
  },
): Promise<EvaluationResult> {
  const { trainer, save } = dependencies;
  const { compareAlone, signal } = options;
  let { progress } = options;
  if (progress.stage === "none") {
    const base = scoreOf(await trainer.evaluate({ set: "test", adapter: "base" }));
    signal.throwIfAborted();
    const swarmScore = scoreOf(await trainer.evaluate({ set: "test" }));
    signal.throwIfAborted();
    if (!compareAlone) {
      progress = { stage: "done", base, swarmScore };
      await save(progress);
      return progress;
    }
    const swarm = await trainer.state();
    await trainer.reset();
    progress = { stage: "alone", base, swarmScore, swarm, stepsDone: 0 };
    await save(progress);
  }
  if (progress.stage === "done") return progress;
  progress = await trainAlone(dependencies, { ...options, progress });
  const alone = scoreOf(await trainer.evaluate({ set: "test" }));
  signal.throwIfAborted();
  await trainer.restore(progress.swarm);
  const done: EvaluationResult = { stage: "done", base: progress.base, swarmScore: progress.swarmScore, alone };
  await save(done);
  return done;
}

type AloneProgress = Extract<EvaluationProgress, { readonly stage: "alone" }>;

async function trainAlone(
  { trainer, logger, save, onStep }: ClosingDependencies,
  options: {
    readonly progress: AloneProgress;
    readonly steps: number;
    readonly chunkSteps: number;
    readonly signal: AbortSignal;
  },
): Promise<AloneProgress> {
  const { steps, chunkSteps, signal } = options;
  let { progress } = options;
  while (progress.stepsDone < steps) {
    signal.throwIfAborted();
    const chunk = Math.min(chunkSteps, steps - progress.stepsDone);
    let index = progress.stepsDone;
    try {
      await trainer.train({ steps: chunk, onStep: (loss) => onStep(index++, loss) });
    } catch (error) {
      if (!(error instanceof NodeError) || error.code !== "TRAINING_DIVERGED") throw error;
      // Steps that are not finite change nothing: what is evaluated is the last adapter that was.
      logger.warn("training alone diverged, evaluating it where it stands", { steps: progress.stepsDone });
      return progress;
    }
    progress = { ...progress, stepsDone: progress.stepsDone + chunk };
    await save(progress);
  }
  signal.throwIfAborted();
  return progress;
}
