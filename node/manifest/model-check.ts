/** Whether a local model directory is the base model of a network, part by part: for people who have to get the right one. */
import type { ModelDigest, NetworkManifest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import type { ModelNeed } from "../interface/peer-event.ts";
import { loadBaseModel, type ModelFiles } from "../model/huggingface.ts";
import { missingModelFiles } from "../system/files/model-files.ts";
import { ModelDigests } from "./model-digests.ts";
import { verifyTensors } from "./verify-model.ts";

/** One field of the manifest, held against the directory. */
export interface ModelFinding {
  readonly field: `model.digest.${keyof ModelDigest}` | "model.family" | "tensors";
  /** unknown: other files have to be there first. */
  readonly state: "ok" | "missing" | "differs" | "unknown";
  /** What the manifest says. */
  readonly expected: string;
  /** What the directory has; the names of the files that it lacks when they are missing. */
  readonly found: string;
}

/** A directory held against a manifest, field by field. */
export interface ModelCheck {
  readonly directory: string;
  readonly findings: readonly ModelFinding[];
  readonly isRight: boolean;
}

const PARTS: readonly (keyof ModelDigest)[] = ["config", "tokenizer", "weights"];

/**
 * Every field that the model decides. digests: what is known of directories that were read before.
 * Throws: NodeError MODEL_CONFIG, SAFETENSORS_INVALID and others for files that are there and cannot be read.
 */
export function checkModel(
  manifest: NetworkManifest,
  directory: string,
  digests: ModelDigests = new ModelDigests(),
): ModelCheck {
  const missing = missingModelFiles(directory);
  const isWhole = Object.keys(missing).length === 0;
  const model = isWhole ? digests.read(directory) : undefined;
  const parts = PARTS.map((part): ModelFinding => {
    const expected = manifest.model.digest[part];
    const about = { field: `model.digest.${part}`, expected } as const;
    if (missing[part]) return { ...about, state: "missing", found: missing[part].join(", ") };
    if (model === undefined) return { ...about, state: "unknown", found: "" };
    return { ...about, state: model.digest[part] === expected ? "ok" : "differs", found: model.digest[part] };
  });
  if (model === undefined) return { directory, findings: parts, isRight: false };
  // What follows from the files is held against the manifest only where they are the right ones.
  const findings = parts.every(isOk)
    ? [...parts, familyFinding(manifest, model.files), tensorFinding(manifest, model.files)]
    : parts;
  return { directory, findings, isRight: findings.every(isOk) };
}

/** One line for each field that is not as the manifest says; for a person who has to find the right files. */
export function modelProblems({ directory, findings }: ModelCheck): readonly string[] {
  return findings.flatMap(({ field, state, expected, found }) => {
    if (state === "missing") return [`${directory} has no ${found}; ${field} is ${expected}`];
    if (state === "differs") return [`${field} differs: ${found} in ${directory}, ${expected} in the network`];
    return [];
  });
}

/** What is missing or differs, file by file; none where it is the model. */
export function modelNeeds({ findings, isRight }: ModelCheck): readonly ModelNeed[] {
  if (isRight) return [];
  return findings.flatMap(({ field, state, expected, found }) => {
    if (state === "missing") return [{ field, file: found, expected }];
    return state === "differs" ? [{ field, file: FILES[field], expected, found }] : [];
  });
}

/** What to get for each field. */
const FILES: Readonly<Record<ModelFinding["field"], string>> = {
  "model.digest.config": "config.json",
  "model.digest.tokenizer": "tokenizer.json",
  "model.digest.weights": "model*.safetensors",
  "model.family": "config.json",
  tensors: "config.json",
};

const isOk = ({ state }: ModelFinding): boolean => state === "ok";

function familyFinding({ model }: NetworkManifest, files: ModelFiles): ModelFinding {
  const found = loadBaseModel(files).family;
  return { field: "model.family", state: found === model.family ? "ok" : "differs", expected: model.family, found };
}

function tensorFinding(manifest: NetworkManifest, files: ModelFiles): ModelFinding {
  const about = { field: "tensors", expected: `${manifest.tensors.length} tensors of the adapter` } as const;
  try {
    verifyTensors(manifest, files);
    return { ...about, state: "ok", found: about.expected };
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    return { ...about, state: "differs", found: error.message };
  }
}
