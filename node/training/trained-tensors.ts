/**
 * The tensors of an adapted model that are trained, those among them that travel, and the common start of all peers.
 */
import {
  type AdapterSettings,
  type AdapterSlot,
  type AdapterTensor,
  adapterSlots,
  parameterCount,
} from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { type SentPart, sentPart } from "../adapter/sent-part.ts";
import type { TrainerOptions } from "../interface/trainer.ts";
import type { BaseModel } from "../model/base-model.ts";
import { type HeadRole, headStart, trainedHead } from "./classification.ts";
import type { AdaptedModel } from "./training-step.ts";

/** The trained values of one peer as one flat vector theta f32[P]: the adapter's, and behind them those of a trained head. */
export interface TrainedTensors {
  readonly adapted: AdaptedModel;
  /** The place of each trained tensor in theta. */
  readonly slots: readonly AdapterSlot[];
  /** Where the values of a trained head begin in theta: the length of theta where there is none. */
  readonly headFrom: number;
  /** The tensors that travel, in their order. */
  readonly traveling: readonly AdapterTensor[];
  /** Between theta and the vector that travels. */
  readonly sent: SentPart;
  /** The common start of all peers, a new vector each time. */
  start(): Float32Array;
  /** Bring the adapter's values back to those that its method allows, in place. */
  retract(theta: Float32Array): void;
}

/** All tensors that travel: the adapter's, and behind them those of a shared head. */
export function sentTensors(
  model: BaseModel,
  adapter: AdapterSettings,
  head: HeadRole = "trained",
): readonly AdapterTensor[] {
  const own = adapterMethod(adapter).sent(adapter, model.shape);
  if (head !== "shared") return own;
  return [...own, ...trainedHead(model, head).map(({ name, shape }) => ({ name, shape }))];
}

/** What a trainer with these options trains.  Throws: ADAPTER_SETTINGS when the adapter does not fit the model. */
export function trainedTensors(
  model: BaseModel,
  { adapter, head: role, networkSeed }: Pick<TrainerOptions, "adapter" | "head" | "networkSeed">,
): TrainedTensors {
  const method = adapterMethod(adapter);
  const tensors = method.tensors(adapter, model.shape);
  const adapterOnly = adapterSlots(tensors);
  const head = trainedHead(model, role);
  const slots = adapterSlots([...tensors, ...head]);
  const traveling = sentTensors(model, adapter, role);
  return {
    adapted: { model, adapter, slots, frozen: method.frozen(adapter, model.shape, networkSeed) },
    slots,
    headFrom: parameterCount(tensors),
    traveling,
    sent: sentPart(slots, traveling),
    start: () => {
      const own = method.start(adapter, model.shape, networkSeed);
      const theta = new Float32Array(parameterCount(slots));
      theta.set(own);
      theta.set(headStart(model, head, networkSeed), own.length);
      return theta;
    },
    retract: (theta) => method.retract(adapterOnly, theta),
  };
}
