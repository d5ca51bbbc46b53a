/**
 * weft for programs: train an adapter on this machine, or run a peer that learns together with others.
 *
 * Everything that fails for a reason outside the program throws a {@link NodeError} with a code; a network's manifest that
 * cannot be is a {@link ProtocolError}. Importing this is quick: what computes is loaded by the first call that needs it.
 *
 * @packageDocumentation
 */
import "../system/platform/with-resolvers.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { OwnKindSource } from "../adapter/own-kind.ts";
import { type Peer, type PeerOptions, peerOf } from "./peer.ts";
import type { Adapter, CreateNetworkOptions, Model, TrainedAdapter, TrainOptions } from "./types.ts";

export { ProtocolError } from "../../protocol/errors.ts";
export { NODE_ERROR_CODES, NodeError, type NodeErrorCode } from "../errors.ts";

/**
 * Read a base model: a directory of Hugging Face's form, or the small model that comes with weft where none is named.
 * Throws: NodeError MODEL_MISSING, MODEL_CONFIG, SAFETENSORS_INVALID.
 *
 * @example
 * const model = await loadModel("models/SmolLM2-135M");
 * console.log(model.family, await model.generate("Once upon a time", { maxTokens: 20 }));
 */
export async function loadModel(directory?: string): Promise<Model> {
  return (await import("./model.ts")).readModel(directory);
}

/**
 * Train one adapter on this machine, without a network, and evaluate it on examples that it did not see. The training runs on a
 * thread of its own.
 * Throws: NodeError for a model, adapter settings or data that cannot be used, TRAINING_DIVERGED.
 *
 * @example
 * const adapter = await train({ data: "tasks.jsonl", epochs: 3 });
 * console.log(adapter.before.loss, "->", adapter.after?.loss);
 * await adapter.save("my-peft", { format: "peft" });
 */
export async function train(options: TrainOptions = {}): Promise<TrainedAdapter> {
  return await (await import("./train.ts")).trainAdapter(options);
}

/**
 * Read an adapter that weft, Hugging Face PEFT or pyreft wrote.
 * Throws: NodeError ADAPTER_FILE, ADAPTER_FORMAT, ADAPTER_SHAPE, MODEL_MISMATCH.
 */
export async function loadAdapter(
  folder: string,
  options: {
    /** The adapter's base model; the one that comes with weft when absent. */
    readonly model?: Model | string;
    /** The module of the adapter's kind, where that is no part of weft. */
    readonly kind?: OwnKindSource["module"];
  } = {},
): Promise<Adapter> {
  return await (await import("./adapter.ts")).readAdapter(folder, options);
}

/**
 * The manifest of a new open network: whoever has it can take part. It is plain data, to be kept as JSON and given to others.
 * Throws: NodeError for a model or adapter that cannot be used, ProtocolError MANIFEST_INVALID.
 */
export async function createNetwork(options: CreateNetworkOptions): Promise<NetworkManifest> {
  return (await import("./network.ts")).networkOf(options);
}

/**
 * A peer that is about to run in a data directory. `start` begins, `done` is its end.
 *
 * @example
 * const peer = createPeer({ dataDirectory: "alice", network: "network.json", data: "alice.jsonl" });
 * peer.events((event) => console.log(event.type));
 * await peer.start();
 * const report = await peer.done;
 */
export function createPeer(options: PeerOptions): Peer {
  return peerOf(options);
}

export type { AdapterSettings, AdapterTensor } from "../../protocol/adapter-spec.ts";
export type { UpdateEncoding } from "../../protocol/encoding/update-encoding.ts";
export type { MembershipSettings } from "../../protocol/membership/settings.ts";
export type { NetworkId } from "../../protocol/network-id.ts";
export type { ModelDigest, NetworkManifest } from "../../protocol/network-manifest.ts";
export type { AggregationSettings } from "../../protocol/settings/aggregation-rules.ts";
export type { RoundSchedule, TrainingSpec } from "../../protocol/settings/training.ts";
export type { OwnKindOptions, OwnKindSource } from "../adapter/own-kind.ts";
export type { OwnRule, OwnRuleInput, RuleUpdate } from "../aggregation/own-rule.ts";
export type { CutCounts } from "../data/example.ts";
export type { ErrorFacts } from "../errors.ts";
export type { CompanyEvent } from "../interface/company-event.ts";
export type { EngineOptions } from "../interface/engine-options.ts";
export type { LoopReport } from "../interface/event-loop.ts";
export type { LogLevel } from "../interface/logger.ts";
export type {
  ForgettingReport,
  ModelNeed,
  NeighbourMix,
  PeerEvent,
  PeerReport,
  PhaseSeconds,
  RefusalReason,
  RoundSummary,
  Score,
  ScoreFigures,
  UpdateCounts,
} from "../interface/peer-event.ts";
export type { PrivacySettings, PrivacyStatus } from "../interface/privacy.ts";
export type { RosterEvent } from "../interface/roster-event.ts";
export type { EntityScore, Evaluation, TaskScore } from "../interface/trainer.ts";
export type { PeerStatus } from "../peer/peer.ts";
export type { PeerState, PeerView } from "../peer/peer-view.ts";
export type { PeerNews, SessionEvent } from "../peer/session-event.ts";
export type { Peer, PeerOptions } from "./peer.ts";
export type {
  Adapter,
  CreateNetworkOptions,
  Data,
  DataSource,
  EvaluateOptions,
  MachineOptions,
  Model,
  ModelSizes,
  PromptOptions,
  SavedForm,
  SaveOptions,
  TrainedAdapter,
  TrainingStep,
  TrainOptions,
} from "./types.ts";
