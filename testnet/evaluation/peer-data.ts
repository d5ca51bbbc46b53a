/** The data of one simulated peer: examples to train and test on, and their task. */
import type { Example, ExampleSets } from "../../node/interface/trainer.ts";

/** The data of one simulated peer. */
export interface PeerData {
  /** Name of the one task that all of its examples are of; undefined for a mixture. */
  readonly task: string | undefined;
  readonly sets: ExampleSets;
  /** Test examples that are scored by what the model answers, where the exact match of tokens is not the score. */
  readonly questions?: ReadonlyMap<Example, Question>;
}

/** A way of asking beside the exact match of a response. */
export type Question =
  /** All answers that are allowed, the right one first: the most likely is taken for the model's. */
  | { readonly kind: "choose"; readonly answers: readonly Example[] }
  /** The model writes, greedily, at most so many tokens. */
  | { readonly kind: "write"; readonly tokensMax: number; readonly isRight: (text: string) => boolean };
