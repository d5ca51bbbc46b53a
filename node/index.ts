/** What weft offers to programs: networks, peers, and the training engine by itself. */
import "./system/platform/with-resolvers.ts";

export type { AdapterSettings, AdapterTensor, LoraSettings, LoreftSettings } from "../protocol/adapter-spec.ts";
export { adapterSlots, parameterCount } from "../protocol/adapter-spec.ts";
export type { Genesis } from "../protocol/membership/genesis.ts";
export type { NetworkManifest } from "../protocol/network-manifest.ts";
export { MANIFEST_DEFAULTS, networkId, parseManifest } from "../protocol/network-manifest.ts";
export { dataDirectoryLayout } from "./data-directory/layout.ts";
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
export type { CompanyEvent } from "./interface/company-event.ts";
export type { EngineOptions } from "./interface/engine-options.ts";
export type { LogLevel } from "./interface/logger.ts";
export type { PeerEvent, PeerReport, RoundSummary, Score } from "./interface/peer-event.ts";
export type {
  Evaluation,
  Example,
  ExampleSets,
  Trainer,
  TrainerOptions,
  TrainResult,
} from "./interface/trainer.ts";
export type { DataOptions, LoadExamplesOptions, LoadedExamples } from "./local/data-source.ts";
export { loadExamples } from "./local/data-source.ts";
export type { LocalTrainingOptions, LocalTrainingResult } from "./local/local-training.ts";
export { evaluateLocally, trainLocally } from "./local/local-training.ts";
export { loadAdapter, type OpenedModel, openModel, usedAdapter } from "./local/stored-adapter.ts";
export type { CreateNetworkOptions } from "./manifest/create-network.ts";
export { createNetwork } from "./manifest/create-network.ts";
export { checkModel, modelProblems } from "./manifest/model-check.ts";
export { ModelDigests } from "./manifest/model-digests.ts";
export type { FoundNetwork } from "./membership/candidate.ts";
export {
  attachAdapter,
  externalFiles,
  linearSites,
  type TrainableGraph,
  type TrainableOptions,
  trainableGraph,
} from "./model/onnx-file.ts";
export { decodeModel, encodeModel } from "./onnx/codec.ts";
export { type Joining, openJoining } from "./peer/join.ts";
export {
  type GivenNetwork,
  isSignedByFounders,
  keepNetwork,
  keptNetwork,
  networkOf,
  readNetwork,
  rosterGenesis,
  writeNetwork,
} from "./peer/network-file.ts";
export { createPeer, type Peer, type PeerStatus } from "./peer/peer.ts";
export { loadPeerExamples, type ManifestAndModel, type PeerData, requireDemonstration } from "./peer/peer-data.ts";
export type { PeerOptions } from "./peer/peer-options.ts";
export { foldPeerEvent, type PeerView, restingView, UNSEEN_PEER } from "./peer/peer-view.ts";
export type { PeerNews, SessionEvent } from "./peer/session-event.ts";
export { createOnnxRuntime } from "./system/compute/onnxruntime.ts";
export { startTrainerThread } from "./system/compute/trainer-thread.ts";
export { writeFileAtomic } from "./system/files/atomic-file.ts";
export { embeddedModelDirectory } from "./system/files/embedded-model.ts";
export { createNativeVerifier } from "./system/platform/ed25519.ts";
export { createLogger } from "./system/platform/log.ts";
