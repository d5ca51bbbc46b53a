/** Refuses a local model that is not the one of a network. */
import type { ModelDigest, NetworkManifest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import type { ModelShape } from "../model/base-model.ts";
import { loadBaseModel, type ModelFiles, modelDigest } from "../model/huggingface.ts";
import { networkTensors } from "./network-tensors.ts";

/**
 * Whether a local model is the one that a network was made for, and the manifest's tensors are those of its adapter. Returns its
 * shape.
 * digest: of these files; all weights are read where it is not given.
 * Throws: NodeError MODEL_MISMATCH naming the first part that differs and both digests; MANIFEST_INVALID.
 */
export function verifyModel(
  manifest: NetworkManifest,
  files: ModelFiles,
  digest: ModelDigest = modelDigest(files),
): ModelShape {
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
  return verifyTensors(manifest, files);
}

/** Whether the manifest lists the tensors of its adapter. Returns the model's shape.  Throws: NodeError MANIFEST_INVALID naming the first that differs. */
export function verifyTensors(manifest: NetworkManifest, files: ModelFiles): ModelShape {
  const model = loadBaseModel(files);
  const expected = networkTensors(model, manifest);
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
  return model.shape;
}
