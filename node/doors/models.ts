/** The door to models and adapters: files of several programs, graphs, generation of text, the runtime. */
export { adapterMethod } from "../adapter/methods.ts";
export { generate } from "../generation/generate.ts";
export { textGraph } from "../generation/inference-graph.ts";
export { GREEDY } from "../generation/sampler.ts";
export { jsonBytes, parseJson, readAdapterDirectory, writeAdapterDirectory } from "../interchange/adapter-directory.ts";
export { mergedModel } from "../interchange/merged-model.ts";
export { readPeftConfig } from "../interchange/peft-config.ts";
export { PEFT_CONFIG, toPeft } from "../interchange/peft-export.ts";
export { fromPeft } from "../interchange/peft-import.ts";
export { toPyreft } from "../interchange/pyreft-export.ts";
export { fromPyreft } from "../interchange/pyreft-import.ts";
export { sideOf, slotsOf } from "../interchange/saved-adapter.ts";
export { readTorchFile } from "../interchange/torch-file.ts";
export { askedPrompt } from "../local/asked-prompt.ts";
export { checkData } from "../local/data-check.ts";
export { adapterOfPeer, formatOf, loadAdapter, openModel, usedAdapter } from "../local/stored-adapter.ts";
export { keptTrainedData, templateFiles, withTrainedData } from "../local/trained-data.ts";
export { baseIdentity } from "../model/base/agreed-base.ts";
export { FAMILIES } from "../model/families/by-model-type.ts";
export { generationSettings } from "../model/generation-settings.ts";
export { attachAdapter, externalFiles, linearSites, trainableGraph } from "../model/onnx-file.ts";
export { readSafetensors } from "../model/safetensors.ts";
export { tokenizerOfFiles } from "../model/tokenizer.ts";
export { decodeModel, encodeModel } from "../onnx/codec.ts";
export { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
export {
  copyCompanions,
  prepareOutputFolder,
  readAdapterFolder,
  writeFolder,
  writePieces,
} from "../system/files/adapter-files.ts";
