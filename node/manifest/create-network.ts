/** Makes the manifest of a network from a model directory and settings: its first one, and those that it goes on under. */

import { type AdapterSettings, type AdapterTensor, parameterCount } from "../../protocol/adapter-spec.ts";
import type { UpdateEncoding } from "../../protocol/encoding/update-encoding.ts";
import { payloadBytesMax } from "../../protocol/encoding/update-payload.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { rosterIdOf } from "../../protocol/membership/genesis.ts";
import type { MembershipSettings } from "../../protocol/membership/settings.ts";
import { successionStatement } from "../../protocol/membership/succession.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { MANIFEST_DEFAULTS, networkId, parseManifest } from "../../protocol/network-manifest.ts";
import type { BaseForm } from "../../protocol/settings/base-forms.ts";
import type { TrainingSpec } from "../../protocol/settings/training.ts";
import { NodeError } from "../errors.ts";
import { frameOfNetwork } from "../local/network-frame.ts";
import { baseIdentity } from "../model/base/agreed-base.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel, modelDigest } from "../model/huggingface.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { defaultValues, manifestEncoding } from "./default-encoding.ts";
import { networkTensors } from "./network-tensors.ts";
import { recipeTraining } from "./recipe.ts";

/**
 * Settings that are not given take `MANIFEST_DEFAULTS`; the learning rate and the schedule, where no rate is given, suit the
 * kind of the adapter.
 */
export interface CreateNetworkOptions {
  readonly name: string;
  readonly modelDirectory: string;
  readonly adapter: AdapterSettings;
  /** The form of the frozen base on which every peer has to train; each peer chooses when absent. */
  readonly base?: BaseForm;
  /** Of classifiers; the head is trained and kept by each peer when absent. */
  readonly head?: NetworkManifest["head"];
  readonly seed: number;
  readonly training?: Partial<NetworkManifest["training"]>;
  readonly rounds?: Partial<NetworkManifest["rounds"]>;
  readonly aggregation?: Partial<NetworkManifest["aggregation"]>;
  readonly reference?: NetworkManifest["reference"];
  /** `defaultValues` of the adapter, all of them in every update, when absent. */
  readonly encoding?: UpdateEncoding;
  readonly bootstrap?: readonly string[];
  /** How conversations become text: a chat template of the model by name, a file of one, or `none`; default: the model's. */
  readonly chatTemplate?: string;
  /** Who may take part; everybody when absent. */
  readonly membership?: MembershipSettings;
}

/**
 * Throws: NodeError for a model, tokenizer or adapter that cannot be used, ProtocolError MANIFEST_INVALID for settings out of
 * bounds.
 */
export function createNetwork(options: CreateNetworkOptions): NetworkManifest {
  const files = readModelFiles(options.modelDirectory);
  const model = loadBaseModel(files);
  tokenizerOfFiles(files);
  const rounds = { ...MANIFEST_DEFAULTS.rounds, ...options.rounds };
  const training = { ...MANIFEST_DEFAULTS.training, ...rateOf(options, model, rounds), ...options.training };
  const tokensMax = Math.min(training.maxTokens, model.shape.contextTokens);
  const tensors = networkTensors(model, options);
  const frame = model.classifier ? undefined : frameOfNetwork(files, options.chatTemplate);
  const encoding = options.encoding ?? { values: defaultValues(options.adapter) };
  checkAdapterSize(tensors, encoding);
  return parseManifest({
    schema: "weft-network/1",
    name: options.name,
    seed: options.seed,
    model: { family: model.family, digest: modelDigest(files) },
    ...(options.base !== undefined && { base: baseIdentity(model, files, options.base) }),
    adapter: options.adapter,
    ...(options.head !== undefined && { head: options.head }),
    ...(frame !== undefined && { frame }),
    tensors,
    training: { ...training, maxTokens: tokensMax },
    rounds,
    aggregation: { ...MANIFEST_DEFAULTS.aggregation, ...options.aggregation },
    reference: options.reference ?? MANIFEST_DEFAULTS.reference,
    ...manifestEncoding(encoding),
    bootstrap: options.bootstrap ?? [],
    ...(options.membership !== undefined && { membership: options.membership }),
  });
}

/** Of AdamW, where nobody says a rate; a manifest that is gone on from always says one. */
function rateOf(
  { adapter, training }: CreateNetworkOptions,
  { shape }: BaseModel,
  { count, localSteps }: NetworkManifest["rounds"],
): Partial<TrainingSpec> {
  if (training?.learningRate !== undefined || training?.optimizer === "sgd") return {};
  return recipeTraining(adapter, { layers: shape.layers, steps: count * localSteps });
}

/** Throws: NodeError CONFIG_INVALID, with both numbers, where one update could not carry the adapter. */
export function checkAdapterSize(tensors: readonly AdapterTensor[], encoding: UpdateEncoding): void {
  const smaller = "a lower rank, fewer matrices or layers, or a smaller kind such as loreft or tri-lora";
  const [values, valuesMax] = [parameterCount(tensors), LIMITS.parameterCountMax];
  if (values > valuesMax) {
    const text = `an update of this adapter would have ${values} values, at most ${valuesMax} are allowed; choose ${smaller}`;
    throw new NodeError("CONFIG_INVALID", text, { values, valuesMax });
  }
  const [bytes, bytesMax] = [payloadBytesMax({ tensors, encoding }), LIMITS.updatePayloadBytesMax];
  if (bytes > bytesMax) {
    const text = `an update of this adapter would have ${bytes} bytes as ${encoding.values}, at most ${bytesMax} are allowed; choose the encoding int8 or float16, ${smaller}`;
    throw new NodeError("CONFIG_INVALID", text, { bytes, bytesMax });
  }
}

/**
 * The manifest under which a network with a roster goes on from `round` on: with these settings, its name, bootstrap and
 * membership as they were.
 * Throws: as createNetwork; ProtocolError MANIFEST_INVALID where it cannot follow.
 */
export function createSuccessor(
  before: NetworkManifest,
  options: Omit<CreateNetworkOptions, "name" | "bootstrap" | "membership">,
  round: number,
): NetworkManifest {
  const { name, bootstrap, membership } = before;
  const base = options.base ?? before.base?.form;
  const kept = { name, bootstrap, ...(membership && { membership }), ...(base !== undefined && { base }) };
  const whole = createNetwork({ ...options, ...kept });
  const succeeds = { network: networkId(before), first: rosterIdOf(before), round };
  const next = parseManifest({ ...withFrame(whole, before, options), succeeds });
  successionStatement(before, next);
  return next;
}

/** Where nobody chooses a frame, that of before stays with its model. */
function withFrame(
  whole: NetworkManifest,
  { frame, model }: NetworkManifest,
  { chatTemplate }: Pick<CreateNetworkOptions, "chatTemplate">,
): NetworkManifest {
  const { frame: _, ...rest } = whole;
  const isSameModel = Object.entries(model.digest).every(
    ([part, digest]) => rest.model.digest[part as keyof typeof model.digest] === digest,
  );
  if (chatTemplate !== undefined || !isSameModel) return whole;
  return { ...rest, ...(frame !== undefined && { frame }) };
}
