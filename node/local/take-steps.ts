/** Takes the steps of a training on one machine, with a look at the signal and at the validation set on the way. */
import type { Trainer } from "../interface/trainer.ts";
import type { BestKeeper } from "./best-step.ts";
import type { BestStep } from "./stopped-training.ts";

/** What is taken, and who hears of it. */
export interface TakeStepsOptions {
  /** Steps to take at most. */
  readonly steps: number;
  /** Steps that were taken before. */
  readonly start: number;
  readonly signal: AbortSignal;
  /** step: counted from where the whole training began, as below. */
  readonly onStep?: ((step: number, loss: number) => void) | undefined;
  /** The loss on the validation set after so many steps, and the best one until then. */
  readonly onValidated?: ((step: number, loss: number, best: BestStep | undefined) => void) | undefined;
}

/** What came of it. */
export interface StepsTaken {
  /** Steps that were taken now. */
  readonly steps: number;
  /** Those of them whose loss or gradient was not finite; they changed nothing. */
  readonly stepsSkipped: number;
  /** Mean loss of the first and the last tenth of the steps that counted. */
  readonly losses: { readonly first: number; readonly last: number };
  readonly seconds: number;
}

/** Steps between two looks at the signal. */
const STEPS_AT_ONCE = 4;

/** Ends early where the signal is aborted or the keeper sees no hope.  Throws: what the trainer throws. */
export async function takeSteps(
  trainer: Pick<Trainer, "train" | "evaluate" | "state">,
  keeper: BestKeeper | undefined,
  { steps, start, signal, onStep, onValidated }: TakeStepsOptions,
): Promise<StepsTaken> {
  const losses: number[] = [];
  let [done, stepsSkipped, seconds] = [0, 0, 0];
  while (done < steps && !signal.aborted && !keeper?.isHopeless()) {
    const toNext = keeper?.stepsToNext(start + done) ?? STEPS_AT_ONCE;
    const part = await trainer.train({
      steps: Math.min(STEPS_AT_ONCE, steps - done, toNext),
      onStep: (loss) => {
        done += 1;
        onStep?.(start + done, loss);
      },
    });
    for (const loss of part.losses) losses.push(loss);
    stepsSkipped += part.stepsSkipped;
    seconds += part.seconds;
    const step = start + done;
    if (keeper === undefined || !(keeper.isDue(step) || done === steps)) continue;
    const { loss } = await trainer.evaluate({ set: "validation" });
    keeper.note(step, loss, (await trainer.state()).adapter);
    onValidated?.(step, loss, keeper.best);
  }
  return { steps: done, stepsSkipped, losses: ends(losses), seconds };
}

function ends(losses: readonly number[]): StepsTaken["losses"] {
  const count = Math.max(1, Math.ceil(losses.length / 10));
  const mean = (part: readonly number[]): number => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  return { first: mean(losses.slice(0, count)), last: mean(losses.slice(-count)) };
}
