/** What weft offers to programs: networks, peers, and the training engine by itself. */
export type { AdapterSettings, AdapterTensor, LoraSettings, LoreftSettings } from "../protocol/adapter-spec.ts";
export { adapterSlots, parameterCount } from "../protocol/adapter-spec.ts";
export type { NetworkManifest } from "../protocol/network-manifest.ts";
export { MANIFEST_DEFAULTS, networkId, parseManifest } from "../protocol/network-manifest.ts";
export type { CreateNetworkOptions } from "./create-network.ts";
export { createNetwork } from "./create-network.ts";
export type { DataOptions, LoadExamplesOptions, LoadedExamples } from "./data-source.ts";
export { loadExamples } from "./data-source.ts";
export type { NodeErrorCode } from "./errors.ts";
export { NODE_ERROR_CODES, NodeError } from "./errors.ts";
export type { Generated, GenerateOptions } from "./generation/generate.ts";
export { generate } from "./generation/generate.ts";
export { GREEDY, type SamplingSettings } from "./generation/sampler.ts";
export { type FileSet, readAdapterDirectory, writeAdapterDirectory } from "./interchange/adapter-directory.ts";
export { type MergedModel, mergedModel } from "./interchange/merged-model.ts";
export { toPeft } from "./interchange/peft-export.ts";
export { fromPeft, type Imported } from "./interchange/peft-import.ts";
export { toPyreft } from "./interchange/pyreft-export.ts";
export { fromPyreft } from "./interchange/pyreft-import.ts";
export type { SavedAdapter } from "./interchange/saved-adapter.ts";
export type { PeerEvent, PeerReport, RoundSummary, Score } from "./interface/peer-event.ts";
export type {
  Evaluation,
  Example,
  ExampleSets,
  Trainer,
  TrainerOptions,
  TrainResult,
} from "./interface/trainer.ts";
export type { LocalTrainingOptions, LocalTrainingResult } from "./local-training.ts";
export { evaluateLocally, trainLocally } from "./local-training.ts";
export {
  attachAdapter,
  externalFiles,
  linearSites,
  type TrainableGraph,
  type TrainableOptions,
  trainableGraph,
} from "./model/onnx-file.ts";
export { decodeModel, encodeModel } from "./onnx/codec.ts";
export type { PeerOptions, RunningPeer } from "./peer.ts";
export { runPeer } from "./peer.ts";
export { loadAdapter, type OpenedModel, openModel, usedAdapter } from "./stored-adapter.ts";
export { embeddedModelDirectory } from "./system/embedded-model.ts";
export { createOnnxRuntime } from "./system/onnxruntime.ts";
export { startTrainerThread } from "./system/trainer-thread.ts";
