/** What one simulated peer has: examples to train and test on, and what they are about. */
import type { Example, ExampleSets } from "../../node/interface/trainer.ts";

export interface PeerData {
  /** Name of the one task that all of its examples are of; undefined for a mixture. */
  readonly task: string | undefined;
  readonly sets: ExampleSets;
  /**
   * For tasks of choosing: test examples with all answers that are allowed, the right one first. The most likely is
   * taken for the model's.
   */
  readonly choices?: ReadonlyMap<Example, readonly Example[]>;
}
