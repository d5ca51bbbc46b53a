/** Which tensors the updates of a network carry. */
import type { AdapterSettings, AdapterTensor } from "../../protocol/adapter-spec.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import type { BaseModel } from "../model/base-model.ts";
import { sentTensors } from "../training/trained-tensors.ts";

/**
 * Names and shapes of what this adapter of this model sends, in the order of the update, a shared head behind it.
 * Throws: NodeError CONFIG_INVALID where something is said of a head or of classes that the model does not have.
 */
export function networkTensors(
  model: BaseModel,
  {
    adapter,
    head,
    training: { logitAdjustment, headLearningRate } = {},
  }: {
    readonly adapter: AdapterSettings;
    readonly head?: NetworkManifest["head"];
    readonly training?: Partial<NetworkManifest["training"]>;
  },
): readonly AdapterTensor[] {
  if (head !== undefined && !model.classifier) {
    const text = `a ${head} head is of classifiers only, and this model (${model.family}) has none; leave head out`;
    throw new NodeError("CONFIG_INVALID", text, { head, family: model.family });
  }
  if (logitAdjustment !== undefined && !model.classifier) {
    const text = `logit adjustment is of classifiers only, and this model (${model.family}) is none; leave it out`;
    throw new NodeError("CONFIG_INVALID", text, { family: model.family });
  }
  if (headLearningRate !== undefined && (!model.classifier || head === "frozen")) {
    const text = `a rate of the head is of classifiers whose head is trained, and ${model.classifier ? "this head is frozen" : `this model (${model.family}) is none`}; leave it out`;
    throw new NodeError("CONFIG_INVALID", text, { family: model.family });
  }
  return sentTensors(model, adapter, head);
}
