/** The base that a network agreed on: the form in which all its peers keep it, and the digest of what it holds. */
import type { AgreedBase, BaseForm } from "../../../protocol/settings/base-forms.ts";
import { NodeError } from "../../errors.ts";
import type { EngineOptions } from "../../interface/engine-options.ts";
import type { BaseModel } from "../base-model.ts";
import { type ModelFiles, tensorsDigest } from "../huggingface.ts";
import { storedCopy } from "../weight-copy.ts";
import { narrowCopy } from "./narrow-file.ts";

/**
 * A form of the model's base, with the digest of its tensors where it is narrow; that file is made where it is not there yet.
 * The digest is of names, types, shapes and values alone: the same model gives it everywhere, however it is sharded.
 * Throws: DISK_FULL, DATA_DIRECTORY.
 */
export function baseIdentity(model: BaseModel, files: ModelFiles, form: BaseForm): AgreedBase {
  if (form === "f32") return { form };
  return { form, digest: tensorsDigest(storedCopy(narrowCopy(model, files, form), files.cache), files) };
}

/**
 * How a peer of a network computes: on the form that the network agreed on, where it did.
 * Throws: CONFIG_INVALID where the peer asks for another one.
 */
export function agreedEngine(engine: EngineOptions, agreed: AgreedBase | undefined): EngineOptions {
  if (agreed === undefined) return engine;
  if (engine.base === undefined || engine.base === agreed.form) return { ...engine, base: agreed.form };
  const text = `all peers of this network train on the base in ${agreed.form}, and this one is to keep it in ${engine.base}`;
  throw new NodeError("CONFIG_INVALID", text, { base: engine.base, agreed: agreed.form, problem: "another-base" });
}

/** Throws: MODEL_MISMATCH where the model gives another base than the one agreed on; as `baseIdentity`. */
export function assertAgreed(model: BaseModel, files: ModelFiles, agreed: AgreedBase | undefined): void {
  if (agreed === undefined || agreed.form === "f32") return;
  const own = baseIdentity(model, files, agreed.form);
  if (own.form === "f32" || own.digest === agreed.digest) return;
  const [local, network] = [own.digest, agreed.digest].map((digest) => `${digest.slice(0, 16)}…`);
  const text = `the base in ${agreed.form} has digest ${local} here, and ${network} in the network's manifest`;
  const facts = { local: own.digest, network: agreed.digest, problem: "another-rounding" } as const;
  throw new NodeError("MODEL_MISMATCH", text, facts);
}
