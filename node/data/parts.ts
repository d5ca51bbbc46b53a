/** A record in token ids before it is fitted into the room that an example has. */
import type { Example } from "../interface/trainer.ts";

/** A record in token ids, of any length. */
export interface Parts {
  /** Tokens that stand before every example: the begin token, or none. */
  readonly begin: readonly number[];
  readonly prompt: readonly number[];
  /** With the end token, where the tokenizer has one. */
  readonly response: readonly number[];
  /** The ranges of `response` that are learnt, from 0 on; all of it when absent. */
  readonly learnt?: Example["learnt"];
}
