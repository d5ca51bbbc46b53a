/**
 * LoRA adapters as directories of Hugging Face's PEFT: adapter_config.json and adapter_model.safetensors, whose keys are
 * base_model.model.MODULE.lora_A.weight [r, in] and .lora_B.weight [out, r].
 * Source: https://huggingface.co/docs/peft/developer_guides/checkpoint; peft 0.21.
 */
import type { AdapterLayers } from "../../protocol/adapter-spec.ts";
import type { BaseModel } from "../model/base-model.ts";
import { writeSafetensors } from "../model/safetensors.ts";
import type { FileSet } from "./adapter-directory.ts";
import { jsonBytes } from "./adapter-directory.ts";
import { lowRankProducts, lowRankSettings } from "./low-rank-product.ts";
import { writePeftConfig } from "./peft-config.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { trainedHeadOf } from "./saved-adapter.ts";

/** The file of PEFT's settings. */
export const PEFT_CONFIG = "adapter_config.json";
/** The file of PEFT's values. */
export const PEFT_TENSORS = "adapter_model.safetensors";
/** The beginning of the names of PEFT's wrapped modules. */
export const PEFT_PREFIX = "base_model.model.";

/**
 * The directory's files.  baseModel: path or name under which peft shall look for the model.
 * Throws: ADAPTER_FORMAT for what PEFT cannot express, saying what to do instead.
 */
export function toPeft(
  adapter: SavedAdapter,
  model: BaseModel,
  { baseModel }: { readonly baseModel?: string | undefined },
): FileSet {
  const settings = lowRankSettings(adapter, { what: "PEFT holds LoRA" });
  const products = lowRankProducts(adapter, model, settings);
  const head = trainedHeadOf(adapter, model);
  const tensors = [
    ...products.flatMap(({ site: { path, inputs, outputs }, A, B, rank, magnitudes, bias }) => [
      { name: `${PEFT_PREFIX}${path}.lora_A.weight`, shape: [rank, inputs], data: A },
      { name: `${PEFT_PREFIX}${path}.lora_B.weight`, shape: [outputs, rank], data: B },
      ...(bias ? [{ name: `${PEFT_PREFIX}${path}.lora_B.bias`, shape: [outputs], data: bias }] : []),
      ...(magnitudes
        ? [{ name: `${PEFT_PREFIX}${path}.lora_magnitude_vector`, shape: [outputs], data: magnitudes }]
        : []),
    ]),
    ...head.map(({ name, shape, offset, length }) => ({
      name: PEFT_PREFIX + name,
      shape,
      data: adapter.values.subarray(offset, offset + length),
    })),
  ];
  const config = writePeftConfig({
    r: settings.rank,
    lora_alpha: settings.alpha,
    lora_dropout: settings.dropout ?? 0,
    use_rslora: settings.scale === "rslora",
    use_dora: settings.kind === "dora",
    ...(settings.kind === "lora" && settings.bias === "trained" && { lora_bias: true }),
    fan_in_fan_out: products.some(({ site }) => site.stored === "inputs x outputs"),
    target_modules: settings.targets,
    layers_to_transform: layersToTransform(settings.layers, model),
    modules_to_save: head.length > 0 ? headModules(model) : null,
    task_type: taskType(model, head.length > 0),
    base_model_name_or_path: baseModel ?? null,
  });
  return new Map([
    [PEFT_TENSORS, writeSafetensors(tensors, { format: "pt" })],
    [PEFT_CONFIG, jsonBytes(config)],
  ]);
}

function taskType({ classifier }: BaseModel, hasHead: boolean): "CAUSAL_LM" | "SEQ_CLS" | "TOKEN_CLS" | null {
  if (!classifier) return "CAUSAL_LM";
  if (!hasHead) return null;
  return classifier.reads === "each token" ? "TOKEN_CLS" : "SEQ_CLS";
}

/** All layers are written out where a target may also name a module outside of them, such as a pooler's `dense`. */
function layersToTransform(layers: AdapterLayers, model: BaseModel): readonly number[] | null {
  if (layers !== "all") return layers;
  return model.classifier ? Array.from({ length: model.shape.layers }, (_, layer) => layer) : null;
}

/** peft saves whole modules: `classifier`, of BERT `pooler` too, of DistilBERT `pre_classifier`. */
export function headModules(model: BaseModel): readonly string[] {
  const paths = (model.classifier?.head ?? []).map(({ name }) =>
    /(^|\.)pooler\./.test(name) ? "pooler" : name.split(".")[0]!,
  );
  return [...new Set(paths)].toSorted();
}
