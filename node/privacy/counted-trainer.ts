/**
 * The trainer of a peer with a privacy budget. Every local step goes through it, whatever it is taken for: a round, the rival of
 * a trial, the run alone that is compared. So no adapter comes from steps that the budget has not counted.
 */
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { Trainer } from "../interface/trainer.ts";

/**
 * The same trainer, which counts its steps before it takes them.  Its `train` throws what the guard throws, with no step
 * taken then: NodeError PRIVACY_BUDGET, STORE_FAILED, DISK_FULL.
 */
export function countedTrainer<T extends Trainer>(trainer: T, privacy: Pick<PrivacyGuard, "beforeSteps">): T {
  return {
    ...trainer,
    train: async (options) => {
      await privacy.beforeSteps(options.steps);
      return await trainer.train(options);
    },
  };
}
