/** Makes the genesis manifest of a network from a model directory and settings. */

import { type AdapterSettings, type AdapterTensor, parameterCount } from "../../protocol/adapter-spec.ts";
import type { UpdateEncoding } from "../../protocol/encoding/update-encoding.ts";
import { payloadBytesMax } from "../../protocol/encoding/update-payload.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { rosterIdOf } from "../../protocol/membership/genesis.ts";
import type { MembershipSettings } from "../../protocol/membership/settings.ts";
import { successionStatement } from "../../protocol/membership/succession.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { MANIFEST_DEFAULTS, networkId, parseManifest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import { loadBaseModel, modelDigest } from "../model/huggingface.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { sentTensors } from "../training/classification.ts";
import { defaultValues, manifestEncoding } from "./default-encoding.ts";

/** Settings that are not given take `MANIFEST_DEFAULTS`. */
export interface CreateNetworkOptions {
  readonly name: string;
  readonly modelDirectory: string;
  readonly adapter: AdapterSettings;
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
  const training = { ...MANIFEST_DEFAULTS.training, ...options.training };
  const tokensMax = Math.min(training.maxTokens, model.shape.contextTokens);
  const tensors = sentTensors(model, options.adapter, headOf(options.head, model));
  const encoding = options.encoding ?? { values: defaultValues(options.adapter) };
  checkAdapterSize(tensors, encoding);
  return parseManifest({
    schema: "weft-network/1",
    name: options.name,
    seed: options.seed,
    model: { family: model.family, digest: modelDigest(files) },
    adapter: options.adapter,
    ...(options.head !== undefined && { head: options.head }),
    tensors,
    training: { ...training, maxTokens: tokensMax },
    rounds: { ...MANIFEST_DEFAULTS.rounds, ...options.rounds },
    aggregation: { ...MANIFEST_DEFAULTS.aggregation, ...options.aggregation },
    reference: options.reference ?? MANIFEST_DEFAULTS.reference,
    ...manifestEncoding(encoding),
    bootstrap: options.bootstrap ?? [],
    ...(options.membership !== undefined && { membership: options.membership }),
  });
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
  const whole = createNetwork({ ...options, name, bootstrap, ...(membership && { membership }) });
  const succeeds = { network: networkId(before), first: rosterIdOf(before), round };
  const next = parseManifest({ ...whole, succeeds });
  successionStatement(before, next);
  return next;
}

/**
 * Whether a local model is the one that a network was made for, and the manifest's tensors are those of its adapter.
 * Throws: NodeError MODEL_MISMATCH naming the first part that differs and both digests; MANIFEST_INVALID.
 */
export function verifyModel(manifest: NetworkManifest, files: ModelFiles): void {
  const digest = modelDigest(files);
  const parts = {
    config: "config.json",
    tokenizer: "tokenizer.json",
    weights: "the weights (model*.safetensors)",
  } as const;
  for (const part of ["config", "tokenizer", "weights"] as const) {
    if (digest[part] === manifest.model.digest[part]) continue;
    throw new NodeError(
      "MODEL_MISMATCH",
      `${files.directory} is not the model of network ${manifest.name}: ${parts[part]} has digest ${digest[part].slice(0, 16)}…, ` +
        `the manifest's model.digest.${part} is ${manifest.model.digest[part].slice(0, 16)}…; give the directory of the right model`,
      { part, local: digest[part], network: manifest.model.digest[part] },
    );
  }
  verifyTensors(manifest, files);
}

/** Throws: CONFIG_INVALID where something is said of a head that the model does not have. */
function headOf(head: NetworkManifest["head"], model: BaseModel): NetworkManifest["head"] {
  if (head === undefined || model.classifier) return head;
  const text = `a ${head} head is of classifiers only, and this model (${model.family}) has none; leave head out`;
  throw new NodeError("CONFIG_INVALID", text, { head, family: model.family });
}

function verifyTensors(manifest: NetworkManifest, files: ModelFiles): void {
  const model = loadBaseModel(files);
  const expected = sentTensors(model, manifest.adapter, headOf(manifest.head, model));
  const text = ({ name, shape }: { readonly name: string; readonly shape: readonly number[] }) => `${name} [${shape}]`;
  const length = Math.max(expected.length, manifest.tensors.length);
  for (let i = 0; i < length; i++) {
    const [wanted, listed] = [expected[i], manifest.tensors[i]].map((tensor) => (tensor ? text(tensor) : "nothing"));
    if (wanted === listed) continue;
    throw new NodeError(
      "MANIFEST_INVALID",
      `network ${manifest.name}: its adapter has ${wanted} where the manifest's tensors[${i}] is ${listed}`,
      { index: i, problem: "manifest-of-another-program" },
    );
  }
}
