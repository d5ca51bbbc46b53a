/**
 * Forgetting: the distance of each task's held-out scores to the best ones that the peer ever had.
 * Source: FedRef, arXiv:2506.23210, which reports it for accuracy.
 */
import type { Forgetting, ForgettingReport, TaskForgetting } from "../interface/peer-event.ts";
import type { Evaluation } from "../interface/trainer.ts";

interface Best {
  /** The lowest so far, in nats per response token. */
  readonly loss: number;
  /** The highest so far. */
  readonly accuracy: number;
}

/** The best scores so far, after any round, of the whole held-out set and of each task in it; plain data. */
export interface BestScores {
  readonly all: Best;
  readonly tasks: readonly (Best & { readonly task: string })[];
}

const UNSEEN: Best = { loss: Number.NaN, accuracy: Number.NaN };

/** The best scores of a peer that was never evaluated. */
export const NO_SCORES: BestScores = { all: UNSEEN, tasks: [] };

/** The forgetting of a peer that was never evaluated. */
export const NO_FORGETTING: ForgettingReport = { ...UNSEEN, tasks: [] };

/**
 * psi = best so far - now, for accuracy; for the loss, which is best when low, psi = now - best so far. Both are 0 where
 * now is the best, and never below. A score that is no number is forgotten without a measure (NaN), and never the best.
 * Tasks that are not in `now` keep their best and are left out of the report.
 */
export function forgettingOf(
  best: BestScores,
  now: Evaluation,
): { readonly best: BestScores; readonly forgetting: ForgettingReport } {
  const known = new Map(best.tasks.map((one) => [one.task, one]));
  const all = bestOf(best.all, now);
  const tasks: TaskForgetting[] = [];
  for (const { task, ...score } of now.tasks ?? []) {
    const better = bestOf(known.get(task) ?? UNSEEN, score);
    known.set(task, { task, ...better });
    tasks.push({ task, ...behind(better, score) });
  }
  return { best: { all, tasks: [...known.values()] }, forgetting: { ...behind(all, now), tasks } };
}

function bestOf(best: Best, now: Best): Best {
  return { loss: better(Math.min, best.loss, now.loss), accuracy: better(Math.max, best.accuracy, now.accuracy) };
}

function better(pick: (a: number, b: number) => number, best: number, now: number): number {
  if (Number.isNaN(best)) return now;
  return Number.isNaN(now) ? best : pick(best, now);
}

function behind(best: Best, now: Best): Forgetting {
  return { loss: now.loss - best.loss, accuracy: best.accuracy - now.accuracy };
}
