/** What a network agrees on, in one word each: `median:norm-clip`, `tanh:0.8:4`, `window:4:linear`, `sgd:0.9`, `cosine:10`. */
import { AGGREGATION } from "../protocol/settings/aggregation-rules.ts";
import { LAMBDA_RULES } from "../protocol/settings/lambda-rules.ts";
import { REFERENCES } from "../protocol/settings/reference-kinds.ts";
import { OPTIMIZERS, SCHEDULES } from "../protocol/settings/training.ts";
import { wordArgument } from "./word-argument.ts";

/** How neighbours' adapters are put together. */
export const AGGREGATION_WORD = wordArgument(AGGREGATION);
/** How far a peer goes towards the aggregate; a bare number is `fixed`. */
export const LAMBDA_WORD = wordArgument(LAMBDA_RULES);
/** What holds a peer's adapter to its own past; its weights are the default ones. */
export const REFERENCE_WORD = wordArgument(REFERENCES);
/** The optimiser, and its momentum where it has one. */
export const OPTIMIZER_WORD = wordArgument(OPTIMIZERS);
/** The learning rate over all steps, and the steps of its warm-up. */
export const SCHEDULE_WORD = wordArgument(SCHEDULES);
