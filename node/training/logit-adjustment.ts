/**
 * Logit adjustment: a classifier's loss and its own predictions are taken on z + tau log q_k, with q_k the shares of the classes
 * among the peer's own training examples; everywhere else z stands by itself. A peer that has few classes then need not teach
 * the shared head that the others do not exist: the shares say so, and what travels serves everybody's classes.
 * q_k never travels. Source: Menon et al. 2021, arXiv:2007.07314; for federated training Zhang et al. 2022, arXiv:2209.00189.
 */
import { NodeError } from "../errors.ts";
import type { Example, TrainerOptions } from "../interface/trainer.ts";
import type { BaseModel } from "../model/base-model.ts";
import { constantValue } from "../onnx/graph.ts";
import { add } from "../onnx/operators.ts";
import { float32 } from "../tensor.ts";

/** What is added to the share of every class, so that a class that a peer lacks is unlikely and not impossible. */
export const SHARE_MIN = 1e-3;

/** log q, f32[classes]: q_c = (n_c / n + 1e-3) / (1 + 1e-3 classes), with n_c of n examples, or of their tokens, in class c. */
export function logShares(examples: readonly Example[], classes: number): Float32Array {
  const counts = new Float64Array(classes);
  const given = examples.flatMap(({ tokens, promptLength }) => tokens.slice(promptLength));
  for (const label of given) counts[label]! += 1;
  const total = Math.max(1, given.length);
  return Float32Array.from(counts, (count) => Math.log((count / total + SHARE_MIN) / (1 + SHARE_MIN * classes)));
}

/**
 * The model as this peer trains and asks it: with tau log q_k on its logits, or as it is where the network has no adjustment.
 * Throws: CONFIG_INVALID for a language model, and with example-level privacy, whose noise does not cover the shares.
 */
export function adjustedModel(
  model: BaseModel,
  { training: { logitAdjustment: tau }, data, privacy }: Pick<TrainerOptions, "training" | "data" | "privacy">,
): BaseModel {
  if (tau === undefined) return model;
  const { classifier } = model;
  if (!classifier) throw new NodeError("CONFIG_INVALID", NO_CLASSES, { family: model.family });
  if (privacy) throw new NodeError("CONFIG_INVALID", NOT_PRIVATE);
  const shares = logShares(data.train, classifier.labels.length).map((share) => tau * share);
  const adjustment = constantValue(float32([shares.length], shares));
  const outputBias: BaseModel["outputBias"] = (weight) => {
    const bias = model.outputBias?.(weight);
    return bias ? add(bias, adjustment) : adjustment;
  };
  return { ...model, outputBias };
}

const NO_CLASSES = "logit adjustment is by the shares of classes, and this model is no classifier; leave it out";
const NOT_PRIVATE =
  "logit adjustment depends on how often each class occurs, which example-level privacy does not cover; leave one of them out";
