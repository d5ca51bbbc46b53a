/** The best step of a training by the loss on its validation set, and whether there is still hope of a better one. */
import type { BestStep, Watching } from "./stopped-training.ts";

/** Keeps the values of the best step. The earlier of two steps of the same loss is the better one. */
export class BestKeeper {
  readonly #watching: Watching;
  #best: BestStep | undefined;
  #values: Float32Array | undefined;

  /** before: the best of an earlier part of the training, and its values. */
  constructor(watching: Watching, before?: { readonly best: BestStep; readonly values: Float32Array }) {
    this.#watching = watching;
    this.#best = before?.best;
    this.#values = before?.values.slice();
    // Who goes on after training was given up means to give it as many evaluations again.
    if (this.#best && this.isHopeless()) this.#best = { ...this.#best, waited: 0 };
  }

  /** The best step; undefined before the first evaluation. */
  get best(): BestStep | undefined {
    return this.#best;
  }

  /** f32[P] of the best step, not a copy. */
  get values(): Float32Array | undefined {
    return this.#values;
  }

  /** Whether there is an evaluation after so many steps. */
  isDue(step: number): boolean {
    return step % this.#watching.everySteps === 0;
  }

  /** Steps from this one to the next evaluation, 1 or more. */
  stepsToNext(step: number): number {
    return this.#watching.everySteps - (step % this.#watching.everySteps);
  }

  /** The loss after so many steps, and the values that have it. A loss that is not finite is never the best. */
  note(step: number, loss: number, values: Float32Array): void {
    if (Number.isFinite(loss) && !(this.#best && loss >= this.#best.loss)) {
      this.#best = { step, loss, waited: 0 };
      this.#values = values.slice();
    } else if (this.#best) this.#best = { ...this.#best, waited: this.#best.waited + 1 };
  }

  /** Whether so many evaluations in a row were no better that training is to stop. */
  isHopeless(): boolean {
    const { patience } = this.#watching;
    return patience !== undefined && (this.#best?.waited ?? 0) >= patience;
  }
}
