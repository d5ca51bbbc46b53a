/**
 * All that `cli` and `testnet` use of `node`; other programs have `node/library`. Importing it is quick: descriptions, errors
 * and a peer stand here. Everything that computes, reads models or speaks to the network stands behind a door, a function
 * that loads its part of `node` when it is first called.
 */
import "./system/platform/with-resolvers.ts";
import type { NetworkManifest } from "../protocol/network-manifest.ts";
import type { CreateNetworkOptions } from "./manifest/create-network.ts";

// What peers agree on.
export type { AdapterSettings, AdapterTensor, LoraSettings, LoreftSettings } from "../protocol/adapter-spec.ts";
export { adapterSlots, parameterCount } from "../protocol/adapter-spec.ts";
export { counted } from "../protocol/counted.ts";
export type { Genesis } from "../protocol/membership/genesis.ts";
export type { NetworkManifest } from "../protocol/network-manifest.ts";
export { MANIFEST_DEFAULTS, networkId, parseManifest } from "../protocol/network-manifest.ts";
// A peer's files, and the network's file.
export { dataDirectoryLayout } from "./data-directory/layout.ts";
// What goes wrong.
export type { ErrorFacts, NodeErrorCode, Problem } from "./errors.ts";
export { NODE_ERROR_CODES, NodeError } from "./errors.ts";
// What may be set, and within which bounds.
export type { AddressEvent, CompanyEvent } from "./interface/company-event.ts";
export { ENGINE_OPTIONS, type EngineOptions } from "./interface/engine-options.ts";
export type { LoopHold, LoopReport } from "./interface/event-loop.ts";
export { LOG_LEVELS, LOG_MODULES, type LogLevel, type LogModule } from "./interface/logger.ts";
export type {
  AloneFigure,
  Forgetting,
  ForgettingReport,
  LossFigure,
  ModelNeed,
  NeighbourMix,
  PeerEvent,
  PeerReport,
  PhaseSeconds,
  RoundSummary,
  Score,
  UpdateCounts,
} from "./interface/peer-event.ts";
export { type PeerLabel, PeerNames } from "./interface/peer-names.ts";
export { PRIVACY_MODES, type PrivacyMode, type PrivacySettings } from "./interface/privacy.ts";
export { PROVIDERS, type Provider } from "./interface/runtime.ts";
export type { TraceTarget } from "./interface/tracing.ts";
export { ADAPTER_FORMATS, type AdapterFormat } from "./local/adapter-format.ts";
// Networks: their manifests, and whether a model is a network's.
export type { CreateNetworkOptions } from "./manifest/create-network.ts";
export { defaultValues, KEYFRAME_EVERY } from "./manifest/default-encoding.ts";
export type { ModelDigests } from "./manifest/model-digests.ts";
export { type RecipeFacts, recipeAdapter, recipeTraining } from "./manifest/recipe.ts";
export type { DataForm } from "./manifest/recipe-table.ts";
export { eventLogLevel } from "./peer/event-log.ts";
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
// A peer: it lives through all manifests of its network.
export { createPeer, type Peer, type PeerStatus } from "./peer/peer.ts";
export type { ManifestAndModel, PeerData } from "./peer/peer-data.ts";
export type { PeerOptions } from "./peer/peer-options.ts";
export { foldPeerEvent, type PeerView, restingView, UNSEEN_PEER } from "./peer/peer-view.ts";
export type { PeerNews, SessionEvent } from "./peer/session-event.ts";
export { shellWord } from "./shell-word.ts";
export {
  ensureFolder,
  fileError,
  readIfThere,
  systemCode,
  temporaryPath,
  writeFileAtomic,
} from "./system/files/atomic-file.ts";
export { STANDARD_INPUT } from "./system/files/data-bytes.ts";
export { embeddedModelDirectory } from "./system/files/embedded-model.ts";
export { checkPassphrase, readPassphraseFile } from "./system/files/key-backup.ts";
export { COMMAND_WAIT_MS, isCopyInUse, lockHolder, takeLock } from "./system/files/lock-file.ts";
export { readShortText } from "./system/files/short-file.ts";
export { type AddressFilter, addressFilter } from "./system/network/address-range.ts";
export type { ReachOptions } from "./system/network/reach.ts";
export { createNativeVerifier } from "./system/platform/ed25519.ts";
export { isProcessRunning, type ProcessMark, processMark } from "./system/platform/process-mark.ts";
export { userDataFolder } from "./system/platform/user-folders.ts";
// Text that others wrote, as a terminal may be given it.
export { visibleLine, visibleText } from "./visible-text.ts";
/** The manifest of a new network.  Throws: NodeError for a model or adapter that cannot be used, ProtocolError MANIFEST_INVALID. */
export async function createNetwork(options: CreateNetworkOptions): Promise<NetworkManifest> {
  return (await networkDoor()).createNetwork(options);
}
/** Loads what makes and compares manifests. */
export const networkDoor = (): Promise<typeof import("./doors/networks.ts")> => import("./doors/networks.ts");

// Membership by roster: invites, proposals, key rotation.
export type { FoundNetwork } from "./membership/candidate.ts";
export { looksLike, membersMeant } from "./membership/look-alikes.ts";
export type { Proposal } from "./membership/proposals.ts";
export type { LogAnswer, MembersAnswer, RosterAction, RosterAnswer } from "./membership/roster-desk.ts";
export type { Joining } from "./peer/join.ts";
export type { OperatorOptions } from "./peer/operator.ts";
/** Loads what acts on a roster. */
export const membershipDoor = (): Promise<typeof import("./doors/membership.ts")> => import("./doors/membership.ts");

export type { TrainedData } from "./data/trained-data.ts";
// Training and evaluation on one machine.
export type {
  Evaluation,
  Example,
  ExampleSets,
  Trainer,
  TrainerOptions,
  TrainResult,
} from "./interface/trainer.ts";
export type { DataOptions, LoadExamplesOptions, LoadedExamples } from "./local/data-source.ts";
export type { Fit, FitRow, TrainingMemory } from "./local/fit.ts";
export type { LocalTrainingOptions, LocalTrainingResult } from "./local/local-training.ts";
export type { BestStep, StoppedTraining, Watching } from "./local/stopped-training.ts";
export type { OnnxLoss } from "./model/onnx-file.ts";
/** Loads what trains and evaluates without a network. */
export const trainingDoor = (): Promise<typeof import("./doors/training.ts")> => import("./doors/training.ts");

// Models and adapters: files of several programs, graphs, text.
export type { Generated, GenerateOptions } from "./generation/generate.ts";
export type { SamplingSettings } from "./generation/sampler.ts";
export type { FileSet } from "./interchange/adapter-directory.ts";
export type { MergedModel } from "./interchange/merged-model.ts";
export type { Imported } from "./interchange/peft-import.ts";
export type { SavedAdapter } from "./interchange/saved-adapter.ts";
export type { DataReport } from "./local/data-check.ts";
export type { ImportPositions, OpenedModel } from "./local/stored-adapter.ts";
export type { ModelShape } from "./model/base-model.ts";
export type { GenerationSettings } from "./model/generation-settings.ts";
export type { TrainableGraph, TrainableOptions } from "./model/onnx-file.ts";
export type { Tokenizer } from "./model/tokenizer.ts";
export type { FolderFiles } from "./system/files/adapter-files.ts";
/** Loads what reads, writes and runs models and adapters. */
export const modelDoor = (): Promise<typeof import("./doors/models.ts")> => import("./doors/models.ts");

// Checks of a machine, a peer's files and what its updates give away.
export type { AttackResult } from "./audit/inversion.ts";
export type { DeviceFinding, DoctorOptions, DoctorReport, Finding } from "./doctor/doctor.ts";
/** Loads the doctor and the audit. */
export const checkDoor = (): Promise<typeof import("./doors/checks.ts")> => import("./doors/checks.ts");

// How far long work is.
export type { Work, WorkNews, WorkTeller } from "./interface/work.ts";
/** Loads where long work is told of, and heard of. */
export const workDoor = (): Promise<typeof import("./doors/work.ts")> => import("./doors/work.ts");

export type { ServedAdmin } from "./admin/listen-in.ts";
// The admin interface of a running peer.
export { PEER_METRICS } from "./admin/metric-rows.ts";
export type { AdminInterface } from "./admin/serve-admin.ts";
export type { SwarmPage } from "./admin/serve-swarm.ts";
export type { SwarmDesk } from "./admin/swarm-routes.ts";
export type { AdminAddress } from "./interface/admin.ts";
export type { MetricRow } from "./interface/metrics.ts";
export type {
  SwarmLink,
  SwarmPeerView,
  SwarmPeerWords,
  SwarmRound,
  SwarmRounds,
  SwarmView,
} from "./interface/swarm-view.ts";
export type { AdminClientOptions } from "./system/http/admin-client.ts";
/** Loads what serves an admin interface. */
export const adminDoor = (): Promise<typeof import("./doors/admin.ts")> => import("./doors/admin.ts");
/** Loads what asks one. */
export const adminClientDoor = (): Promise<typeof import("./doors/admin-client.ts")> =>
  import("./doors/admin-client.ts");

// A peer's records: its egress ledger, its key and the key's backup, its log.
export type { NeutralLosses, ReportDocument, ReportPeer, ReportSentence } from "./interface/report-document.ts";
export type { ShownRecord } from "./local/stored-record.ts";
export type { EgressSummary } from "./privacy/egress-summary.ts";
/** Loads what reads and writes a peer's records. */
export const recordDoor = (): Promise<typeof import("./doors/records.ts")> => import("./doors/records.ts");
